"""The step ``compliance``: what a reconciled day shows against the rules of domain.md §8."""
