"""The command line of Apache Kafka's own tools, run from Kafka's jars.

KAFKA_LIBS names the folder of jars (default target/kafka/libs, which tests/kafka/install fills), and the tools' version
is the jars'.
"""

import os
from pathlib import Path

PRODUCER = "org.apache.kafka.tools.ConsoleProducer"
CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
TOPICS = "org.apache.kafka.tools.TopicCommand"
OFFSETS = "org.apache.kafka.tools.GetOffsetShell"

_HERE = Path(__file__).resolve().parent
_TARGET = os.environ.get("CARGO_TARGET_DIR") or _HERE.parents[1] / "target"


def command(tool: str, bootstrap: str, *arguments: str, network_level: str = "WARN") -> list[str]:
    """The command line of a tool, with a JVM that is quick to start. At network level DEBUG it logs its requests."""
    libs = os.environ.get("KAFKA_LIBS") or f"{_TARGET}/kafka/libs"
    jvm = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8"]
    configuration = _HERE / "java-console" / "log4j2.properties"
    logs = [f"-Dlog4j2.configurationFile=file:{configuration}", f"-Dnetwork.level={network_level}"]
    return [*jvm, *logs, "-cp", f"{libs}/*", tool, "--bootstrap-server", bootstrap, *arguments]
