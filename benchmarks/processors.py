"""Steal time: processor time that the hypervisor gave to other virtual machines."""

_STEAL, _GUEST = 7, 9  # indexes in the first line of /proc/stat; guest time is included in other fields


class Processors:
    """Processor times of this machine since construction."""

    def __init__(self) -> None:
        self._before = _ticks()

    def stolen(self) -> float:
        """Return the share of processor time that the hypervisor gave to other machines."""
        spent = [after - before for after, before in zip(_ticks(), self._before, strict=True)]
        return spent[_STEAL] / max(1, sum(spent))


def _ticks() -> list[int]:
    """Return the ticks of all processors since boot, by kind. (proc_stat(5))"""
    with open("/proc/stat") as file:
        return [int(ticks) for ticks in file.readline().split()[1:_GUEST]]
