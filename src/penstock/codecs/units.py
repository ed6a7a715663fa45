"""Units that payloads name by a symbol only: their names and UCUM codes."""

from __future__ import annotations

from penstock.core.series import Unit

#: Symbol as devices write it: name, symbol, UCUM code, and what it measures when that is clear.
_KNOWN: dict[str, tuple[str, str, str, str]] = {
    "°C": ("degree Celsius", "°C", "Cel", "Temperature"),
    "C": ("degree Celsius", "°C", "Cel", "Temperature"),
    "Cel": ("degree Celsius", "°C", "Cel", "Temperature"),
    "degC": ("degree Celsius", "°C", "Cel", "Temperature"),
    "K": ("kelvin", "K", "K", "Temperature"),
    "°F": ("degree Fahrenheit", "°F", "[degF]", "Temperature"),
    "%": ("percent", "%", "%", ""),
    "%RH": ("percent relative humidity", "%RH", "%", "Relative humidity"),
    "Pa": ("pascal", "Pa", "Pa", "Pressure"),
    "kPa": ("kilopascal", "kPa", "kPa", "Pressure"),
    "hPa": ("hectopascal", "hPa", "hPa", "Pressure"),
    "bar": ("bar", "bar", "bar", "Pressure"),
    "psi": ("pound per square inch", "psi", "[psi]", "Pressure"),
    "A": ("ampere", "A", "A", "Current"),
    "V": ("volt", "V", "V", "Voltage"),
    "W": ("watt", "W", "W", "Power"),
    "kW": ("kilowatt", "kW", "kW", "Power"),
    "J": ("joule", "J", "J", "Energy"),
    "kWh": ("kilowatt hour", "kWh", "kW.h", "Energy"),
    "Hz": ("hertz", "Hz", "Hz", "Frequency"),
    "rpm": ("revolutions per minute", "rpm", "{rpm}", "Rotational speed"),
    "RPM": ("revolutions per minute", "rpm", "{rpm}", "Rotational speed"),
    "m": ("metre", "m", "m", "Length"),
    "mm": ("millimetre", "mm", "mm", "Length"),
    "kg": ("kilogram", "kg", "kg", "Mass"),
    "g": ("gram", "g", "g", "Mass"),
    "s": ("second", "s", "s", "Duration"),
    "m/s": ("metre per second", "m/s", "m/s", "Speed"),
    "mm/s": ("millimetre per second", "mm/s", "mm/s", "Vibration velocity"),
    "km/h": ("kilometre per hour", "km/h", "km/h", "Speed"),
    "m/s2": ("metre per square second", "m/s²", "m/s2", "Acceleration"),
    "m/s²": ("metre per square second", "m/s²", "m/s2", "Acceleration"),
    "m3": ("cubic metre", "m³", "m3", "Volume"),
    "m³": ("cubic metre", "m³", "m3", "Volume"),
    "l": ("litre", "l", "l", "Volume"),
    "L": ("litre", "L", "L", "Volume"),
    "L/min": ("litre per minute", "L/min", "L/min", "Flow rate"),
    "l/s": ("litre per second", "l/s", "l/s", "Flow rate"),
    "m3/s": ("cubic metre per second", "m³/s", "m3/s", "Flow rate"),
    "m3/h": ("cubic metre per hour", "m³/h", "m3/h", "Flow rate"),
    "lx": ("lux", "lx", "lx", "Illuminance"),
    "ppm": ("parts per million", "ppm", "[ppm]", ""),
    "dB": ("decibel", "dB", "dB", "Level"),
    "dBm": ("decibel milliwatt", "dBm", "dB[mW]", "Signal strength"),
    "lat": ("degree of latitude", "°", "deg", "Latitude"),
    "lon": ("degree of longitude", "°", "deg", "Longitude"),
}


def unit(symbol: str) -> Unit:
    """Return the unit that a symbol stands for; of an unknown one only the symbol is known."""
    known = _KNOWN.get(symbol)
    return Unit(*known[:3]) if known else Unit(symbol=symbol)


def measures(symbol: str) -> str:
    """Return what a unit measures, or an empty text when that is not clear."""
    known = _KNOWN.get(symbol)
    return known[3] if known else ""
