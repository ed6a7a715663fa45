"""Models of devices that send: seeded, repeatable, over real MQTT to any broker.

A simulator is a pure sequence of messages (`message`); `pace` says when each is due on the wall
clock, `mqtt` sends. Nothing is exported here, so that what is not used is not loaded.
"""
