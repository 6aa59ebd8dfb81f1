# The gateway as an image: hash-locked packages, a compiled data plane, no pip, no build tools, no root, a read-only root file system.
#
#   docker build -t mindgate .
#   docker run --rm --read-only --cap-drop ALL -p 127.0.0.1:8080:8080 \
#     -e FOURMINDS_API_KEY -e MINDGATE_ADMIN_KEY -v mindgate-data:/var/lib/mindgate mindgate
#
# Without -v, what it keeps goes with the container. For PostgreSQL, append the asyncpg entry of requirements/dev.txt to
# requirements/runtime.txt before the build. Set MINDGATE_STORAGE__URL to move it: the variable is set in the image, and
# wins over a file's storage.url.
#
# The base is named by tag: its digest is not known where this file is written. Pin the one you have looked at with
#   docker build --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:<digest> .
# The first stage needs a C compiler, which the large image of the same Python has.
ARG PYTHON_IMAGE=python:3.13-slim
ARG BUILD_IMAGE=python:3.13

FROM ${BUILD_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# The locks first: a change of code alone reuses this layer. Wheels only, so no code of a package runs while installing.
# What compiles sees the types of the packages below the gateway, so they are there twice; only /opt/mindgate leaves.
COPY requirements/runtime.txt requirements/build.txt requirements/compile.txt requirements/
RUN python -m venv --without-pip /opt/mindgate \
    && python -m pip --python /opt/mindgate/bin/python install --require-hashes --only-binary :all: -r requirements/runtime.txt \
    && python -m pip install --require-hashes --only-binary :all: \
        -r requirements/runtime.txt -r requirements/build.txt -r requirements/compile.txt
COPY setup.py pyproject.toml README.md LICENSE ./
COPY app app
RUN COMPILE=1 python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && python -m pip --python /opt/mindgate/bin/python install --no-deps --no-index dist/*.whl

FROM ${PYTHON_IMAGE}
# pip and ensurepip would let whoever breaks in install more. The user has a name only so that tools can print one.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/ensurepip /usr/local/lib/python3*/site-packages/* \
    && useradd --uid 65532 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin mindgate \
    && mkdir --mode 0700 /var/lib/mindgate \
    && chown 65532:65532 /var/lib/mindgate
COPY --from=build /opt/mindgate /opt/mindgate
# Bodies above 1 MB go back to the system when they are done with; glibc would keep one or two of the largest.
ENV PATH=/opt/mindgate/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    MALLOC_MMAP_THRESHOLD_=1048576 MALLOC_TRIM_THRESHOLD_=1048576 \
    MINDGATE_STORAGE__URL=sqlite:////var/lib/mindgate/mindgate.db
# Behind the chown: a fresh volume takes owner and mode from here.
VOLUME /var/lib/mindgate
# A config/mindgate.yaml mounted below this folder is found without being named.
WORKDIR /srv/mindgate
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["mindgate"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
