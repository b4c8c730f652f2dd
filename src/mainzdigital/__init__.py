"""mainzDIGITAL: the open-source digital city platform."""
