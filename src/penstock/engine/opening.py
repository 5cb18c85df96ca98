"""The pool that the project file asks for."""

from penstock.engine.pool import Pool
from penstock.project import Engine


def open_pool(settings: Engine) -> Pool:
    """The pool of an engine; use it as a context manager.

    MissingExtra when Ray is not installed, PenstockError when no cluster answers at its address.
    """
    if settings.kind == "ray":
        from penstock.engine.ray_pool import RayPool

        return RayPool(settings)
    from penstock.engine.local import LocalPool

    return LocalPool(settings)
