"""Not a test: an API whose work over many rows never pauses, so that a test sees what that does."""

from officepro.cli import main
from officepro.foundation import time_slices

time_slices.SLICE_SECONDS = 60.0

if __name__ == "__main__":
    main()
