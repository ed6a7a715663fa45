"""Conditions and sort keys over columns of observations, for what a Selection cannot say."""

from penstock.sensorthings.columns.bounds import Narrowed, narrow
from penstock.sensorthings.columns.evaluating import holds_for_nothing, mask, sort
from penstock.sensorthings.columns.reading import Facts

__all__ = ["Facts", "Narrowed", "holds_for_nothing", "mask", "narrow", "sort"]
