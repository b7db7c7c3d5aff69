"""Mock brokers of librdkafka with one topic: prints their addresses, then runs until it is killed."""
import signal
import sys

from confluent_kafka import Producer

brokers, topic, partitions = int(sys.argv[1]), sys.argv[2], sys.argv[3]
cluster = Producer({
    "test.mock.num.brokers": brokers,
    "bootstrap.servers": "",
    "allow.auto.create.topics": True,
})
# The mock makes a topic when it is asked for: with four partitions.
found = cluster.list_topics(topic, timeout=10)
assert len(found.topics[topic].partitions) == int(partitions), found.topics
found = cluster.list_topics(timeout=10)
print(",".join(f"{broker.host}:{broker.port}" for broker in found.brokers.values()), flush=True)
signal.pause()
