"""Tests of the doctor on real parts with one fault each."""
