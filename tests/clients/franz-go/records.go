package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// records are the conversations about producing and fetching. Consumers are given their partitions: no group is joined.
func records() []conversation {
	codecs := []struct {
		name  string
		codec kgo.CompressionCodec
	}{
		{"none", kgo.NoCompression()},
		{"gzip", kgo.GzipCompression()},
		{"snappy", kgo.SnappyCompression()},
		{"lz4", kgo.Lz4Compression()},
		{"zstd", kgo.ZstdCompression()},
	}
	var all []conversation
	for _, each := range codecs {
		all = append(all, conversation{
			fmt.Sprintf("produce %s, read back", each.name),
			func(t *talk) { produceAndReadBack(t, each.name, each.codec) },
		})
	}
	return append(all,
		conversation{"10 000 records by an idempotent producer, in order", manyInOrder},
		conversation{"a waiting consumer gets each record at once", waitingConsumer},
		conversation{"acks 0, 1 and all", acknowledgements},
		conversation{"a record that is too large, and an offset out of range", limits},
	)
}

// produce sends records, each to the partition it names, and returns the first error. franz-go is idempotent by itself.
func (t *talk) produce(topic string, sent []*kgo.Record, options ...kgo.Opt) error {
	producer := t.client(append(options, kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	defer producer.Close()
	return producer.ProduceSync(t, sent...).FirstErr()
}

// consumer reads one partition from an offset on. The caller closes it.
func (t *talk) consumer(topic string, partition int32, offset kgo.Offset, options ...kgo.Opt) *kgo.Client {
	where := map[string]map[int32]kgo.Offset{topic: {partition: offset}}
	return t.client(append(options, kgo.ConsumePartitions(where))...)
}

// read returns so many records of a partition from its start.
func (t *talk) read(topic string, partition int32, count int) []*kgo.Record {
	reader := t.consumer(topic, partition, kgo.NewOffset().AtStart())
	defer reader.Close()
	var got []*kgo.Record
	for len(got) < count {
		got = append(got, must(poll(t, reader))...)
	}
	expectEqual("records", len(got), count)
	return got
}

// poll returns the next records, or the error with which the broker refused.
func poll(t *talk, reader *kgo.Client) ([]*kgo.Record, error) {
	fetches := reader.PollFetches(t)
	return fetches.Records(), fetches.Err()
}

func values(records []*kgo.Record) string {
	var all []string
	for _, record := range records {
		all = append(all, string(record.Value))
	}
	return strings.Join(all, "\n")
}

func produceAndReadBack(t *talk, name string, codec kgo.CompressionCodec) {
	fixed := time.UnixMilli(1_700_000_000_123)
	headers := []kgo.RecordHeader{
		{Key: "colour", Value: []byte("red")}, {Key: "colour", Value: []byte("blue")},
		{Key: "empty", Value: []byte{}}, {Key: "null", Value: nil}, {Key: "binary", Value: []byte{0, 128, 255}},
	}
	sent := []*kgo.Record{
		{Key: []byte("key 1"), Value: []byte("value 1"), Headers: headers, Timestamp: fixed},
		{Key: []byte("key 2"), Value: nil, Timestamp: fixed},
		{Key: nil, Value: []byte("value 3"), Timestamp: fixed},
		{Key: []byte{}, Value: []byte{}, Timestamp: fixed},
		{Key: []byte("schlüssel"), Value: []byte(strings.Repeat("repeated ¿ ", 500)), Timestamp: fixed},
	}
	t.withTopic("codec-"+name, 1, map[string]*string{"retention.ms": kadm.StringPtr("-1")}, func(topic string) {
		expect(t.produce(topic, sent, kgo.ProducerBatchCompression(codec)) == nil, "the records were refused")
		for offset, got := range t.read(topic, 0, len(sent)) {
			which := fmt.Sprintf("of offset %d", offset)
			expectEqual("offset "+which, got.Offset, int64(offset))
			expectEqual("key "+which, got.Key, sent[offset].Key)
			expectEqual("value "+which, got.Value, sent[offset].Value)
			expectEqual("headers "+which, got.Headers, sent[offset].Headers)
			expect(got.Timestamp.Equal(fixed), "timestamp %v %s", got.Timestamp, which)
		}
	})
}

func manyInOrder(t *talk) {
	t.withTopic("many", 2, nil, func(topic string) {
		sent := map[int32][]*kgo.Record{}
		for number := range 10_000 {
			partition := int32(number % 2)
			record := kgo.Record{Partition: partition, Value: fmt.Appendf(nil, "record %d", number)}
			sent[partition] = append(sent[partition], &record)
		}
		both := append(append([]*kgo.Record{}, sent[0]...), sent[1]...)
		expectEqual("errors", t.produce(topic, both, kgo.ProducerBatchMaxBytes(10_000)), nil)
		for partition, records := range sent {
			got := t.read(topic, partition, len(records))
			expect(values(got) == values(records), "partition %d came back in another order", partition)
		}
	})
}

func waitingConsumer(t *talk) {
	t.withTopic("tail", 1, nil, func(topic string) {
		// The broker may wait up to 40 s; the conversation has to end long before the third of three such waits.
		reader := t.consumer(topic, 0, kgo.NewOffset().AtStart(), kgo.FetchMaxWait(40*time.Second))
		defer reader.Close()
		for number := range 3 {
			sent := &kgo.Record{Value: fmt.Appendf(nil, "%d", number)}
			expectEqual("errors", t.produce(topic, []*kgo.Record{sent}), nil)
			expectEqual("the new record", values(must(poll(t, reader))), string(sent.Value))
		}
	})
}

func acknowledgements(t *talk) {
	t.withTopic("acks", 1, nil, func(topic string) {
		for _, acks := range []kgo.Acks{kgo.NoAck(), kgo.LeaderAck(), kgo.AllISRAcks()} {
			sent := []*kgo.Record{{Value: []byte("one")}, {Value: []byte("two")}}
			err := t.produce(topic, sent, kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite())
			expectEqual("errors", err, nil)
		}
		expectEqual("records", values(t.read(topic, 0, 6)), strings.Repeat("\none\ntwo", 3)[1:])
	})
}

func limits(t *talk) {
	t.withTopic("limits", 1, map[string]*string{"max.message.bytes": kadm.StringPtr("2000")}, func(topic string) {
		expectEqual("errors", t.produce(topic, []*kgo.Record{{Value: []byte("small")}}), nil)
		large := []*kgo.Record{{Value: []byte(strings.Repeat(".", 3000))}}
		err := t.produce(topic, large, kgo.ProducerBatchCompression(kgo.NoCompression()))
		expectError("a record of 3000 bytes", err, kerr.MessageTooLarge)

		strict := t.consumer(topic, 0, kgo.NewOffset().At(1000), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
		defer strict.Close()
		_, err = poll(t, strict)
		expectError("without a reset", err, kerr.OffsetOutOfRange)
		lenient := t.consumer(topic, 0, kgo.NewOffset().At(1000), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		defer lenient.Close()
		expectEqual("reset to the start", values(must(poll(t, lenient))), "small")
	})
}
