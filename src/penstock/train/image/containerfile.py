"""The Containerfile of an environment: its text depends on the environment and the base image alone.

Which index is asked, with which password, comes in as a secret of the build and is in no layer.
"""

from string import Template

BASE = "python:{version}-slim-bookworm"  # where no other is asked for
PLACE = "/opt/penstock"
WHEELS = "/build/wheels"

_TEMPLATE = Template("""\
# The environment $environment, as `penstock train image` found it in a run.
ARG BASE=$base
FROM $${BASE} AS build
WORKDIR /build
RUN python3 -c '$check'
COPY uv.lock ./
RUN $secrets \\
    $index python3 -m venv /uv && \\
    /uv/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes -r uv.lock
COPY requirements.txt ./
COPY wheels ./wheels
# unchecked-hash: byte code by the time of its source would be stale, since every file gets one time; and some
# distributions hold files that are no Python of this version
RUN $secrets \\
    $index /uv/bin/uv venv --quiet --no-python-downloads --python python3 $place && \\
    /uv/bin/uv pip sync --quiet --no-cache --require-hashes --python $place/bin/python requirements.txt && \\
    find $place -name uv_cache.json -delete && \\
    { PYTHONHASHSEED=0 $place/bin/python -m compileall -qq --invalidation-mode unchecked-hash $place || true; }

FROM $${BASE}
LABEL org.penstock.environment=$environment
COPY --from=build $place $place
ENV PATH=$place/bin:$$PATH HOME=/tmp
USER 1000:1000
WORKDIR /project
ENTRYPOINT ["penstock"]
CMD ["--help"]
""")
_CHECK = (
    'import sys; found = "%d.%d" % sys.version_info[:2]; '
    'sys.exit(None if found == "{0}" else "the base image has Python " + found + ", the run was made with {0}")'
)
_SECRETS = "--mount=type=secret,id=index --mount=type=secret,id=certificates"
_INDEX = (
    "if [ -f /run/secrets/index ]; then . /run/secrets/index; fi; "
    "if [ -f /run/secrets/certificates ]; then "
    "export SSL_CERT_FILE=/run/secrets/certificates PIP_CERT=/run/secrets/certificates; fi; "
)


def containerfile(environment: str, *, base: str, python: str) -> str:
    """The text, for the environment of that digest and a Python `3.11.7`."""
    check = _CHECK.format(".".join(python.split(".")[:2]))
    return _TEMPLATE.substitute(
        environment=environment, base=base, check=check, place=PLACE, secrets=_SECRETS, index=_INDEX.strip()
    )
