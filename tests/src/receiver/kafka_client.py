"""Prints what a topic has, partition by partition: partition, key, time in ms and value, between tabs."""
import sys

from confluent_kafka import Consumer, TopicPartition

what, brokers, topic = sys.argv[1:4]
consumer = Consumer({"bootstrap.servers": brokers, "group.id": "reader", "enable.auto.commit": False})
partitions = sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10) for p in partitions}
if what == "count":
    print(sum(high - low for low, high in ends.values()))
    sys.exit()
out = sys.stdout.buffer
for partition in partitions:
    low, high = ends[partition]
    consumer.assign([TopicPartition(topic, partition, low)])
    left = high - low
    while left > 0:
        messages = consumer.consume(min(left, 1000), timeout=10)
        assert messages, f"partition {partition}: {left} more did not come"
        for message in messages:
            assert not message.error(), message.error()
            key = message.key() or b""
            _, at = message.timestamp()
            out.write(b"%d\t%s\t%d\t%s\n" % (partition, key, at, message.value()))
        left -= len(messages)
