"""Personal data as screens, logs and findings may show it (domain.md §10): enough to recognise, not enough to use."""


def mask(value: str, keep_start: int = 3, keep_end: int = 2) -> str:
    """Keep a few characters at each end: 13812345678 -> 138******78. Short values are masked whole."""
    if len(value) <= keep_start + keep_end:
        return "*" * len(value)
    return value[:keep_start] + "*" * (len(value) - keep_start - keep_end) + value[len(value) - keep_end :]


def mask_name(name: str) -> str:
    """Keep the family name's first character."""
    return name[:1] + "*" * (len(name) - 1)
