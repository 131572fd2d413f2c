"""What else ran on the processors meanwhile: a virtual machine does not have them to itself."""

_STEAL, _GUEST = 7, 9  # places in the first line of /proc/stat; the time of guests is in others already


class Processors:
    """Of this machine, from now on."""

    def __init__(self) -> None:
        self._before = _ticks()

    def stolen(self) -> float:
        """The share of their time that the hypervisor gave to others."""
        spent = [after - before for after, before in zip(_ticks(), self._before, strict=True)]
        return spent[_STEAL] / max(1, sum(spent))


def _ticks() -> list[int]:
    """Of all processors since the start, by what they did. (proc_stat(5))"""
    with open("/proc/stat") as file:
        return [int(ticks) for ticks in file.readline().split()[1:_GUEST]]
