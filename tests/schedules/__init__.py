"""Schedules: runs that start by the calendar."""
