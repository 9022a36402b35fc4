# CPU: docker build -t ferplus-tuner .
# GPU: docker build -t ferplus-tuner --build-arg TENSORFLOW='tensorflow[and-cuda]~=2.21.0' .   (run with --gpus all)
# A search: docker run --rm -v $PWD/runs:/runs -v PATH/TO/FERPLUS:/data:ro -v ferplus-cache:/cache ferplus-tuner \
#               search --data /data --space transfer --runs-dir /runs
FROM python:3.11-slim
ARG TENSORFLOW=tensorflow~=2.21.0
WORKDIR /opt/ferplus-tuner
COPY requirements.txt requirements-postgresql.txt requirements-dlib.txt ./
RUN pip install --no-cache-dir -r requirements.txt -r requirements-postgresql.txt -r requirements-dlib.txt "$TENSORFLOW"
COPY . .
RUN pip install --no-cache-dir --no-deps .
# Studies and the decoded data are kept outside of the container.
ENV FERPLUS_CACHE=/cache KERAS_HOME=/cache/keras HOME=/tmp
VOLUME ["/runs", "/data", "/cache"]
WORKDIR /
ENTRYPOINT ["ferplus-tuner"]
CMD ["--help"]
