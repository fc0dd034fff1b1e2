"""The request to stop at the next step: set by a signal, or when the driver is gone; trainings ask after each step."""

import threading

STOP = threading.Event()


class Stopped(Exception):
    """The run wrote a checkpoint and ended on request."""
