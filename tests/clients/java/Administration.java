import static java.util.Map.entry;

import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.AlterConfigsOptions;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreatePartitionsOptions;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ReplicaInfo;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidRequestException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/**
 * Conversations held by Admin, the administrator's client in Kafka's own Java library.
 *
 * What is refused is checked by the exception that Java programs catch.
 */
class Administration extends Conversations {
    Administration(String bootstrap) {
        super(bootstrap);
    }

    @Override
    List<Map.Entry<String, Conversation>> all() {
        return List.of(
            entry("the cluster describes itself", this::describeCluster),
            entry("create, list, describe and delete topics, by name and by id", this::topicLife),
            entry("topic creations that are refused, each with its exception", this::refusedCreations),
            entry("settings of a topic: read, and changed one by one", this::topicSettings),
            entry("changes of settings that are refused, each with its exception", this::refusedSettings),
            entry("settings of a broker", this::brokerSettings),
            entry("more partitions for a topic, and what is refused", this::morePartitions),
            entry("list offsets, and describe log folders and producers", this::offsetsAndFiles));
    }

    private TopicDescription described(String topic) throws Exception {
        return answer(admin.describeTopics(Set.of(topic)).allTopicNames()).get(topic);
    }

    private KafkaFuture<Config> settings(ConfigResource resource) {
        return admin.describeConfigs(Set.of(resource)).values().get(resource);
    }

    /** Those settings of a topic that were made on the topic itself. */
    private Map<String, String> setOn(String topic) throws Exception {
        return answer(settings(topicResource(topic))).entries().stream()
            .filter(entry -> entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG)
            .collect(Collectors.toMap(ConfigEntry::name, ConfigEntry::value));
    }

    private static ConfigResource topicResource(String topic) {
        return new ConfigResource(ConfigResource.Type.TOPIC, topic);
    }

    private static AlterConfigOp change(OpType how, String name, String value) {
        return new AlterConfigOp(new ConfigEntry(name, value), how);
    }

    /** Changes some settings, or only tries to, and leaves the others as they are. */
    private KafkaFuture<Void> alter(ConfigResource resource, boolean onlyTry, AlterConfigOp... changes) {
        Map<ConfigResource, Collection<AlterConfigOp>> all = Map.of(resource, Arrays.asList(changes));
        return admin.incrementalAlterConfigs(all, new AlterConfigsOptions().validateOnly(onlyTry)).all();
    }

    private void describeCluster() throws Exception {
        var cluster = admin.describeCluster();
        Collection<Node> nodes = answer(cluster.nodes());
        List<String> addresses = nodes.stream().map(node -> node.host() + ":" + node.port()).toList();
        expect(addresses.contains(bootstrap), bootstrap + " is none of the nodes " + nodes);
        expect(nodes.contains(answer(cluster.controller())), "the controller is none of " + nodes);
        expect(!answer(cluster.clusterId()).isEmpty(), "the cluster has no id");
        int leader = answer(admin.describeMetadataQuorum().quorumInfo()).leaderId();
        expect(nodes.stream().anyMatch(node -> node.id() == leader), "the leader of the quorum is none of " + nodes);
        var features = answer(admin.describeFeatures().featureMetadata()).finalizedFeatures();
        expect(features.containsKey("metadata.version"), "no metadata.version is among the features " + features);
    }

    private void topicLife() throws Exception {
        withTopic("admin", 3, Map.of(), topic -> {
            TopicDescription found = described(topic);
            expectEqual("name", topic, found.name());
            expect(!found.isInternal(), "the topic is internal");
            List<Integer> numbers = found.partitions().stream().map(TopicPartitionInfo::partition).toList();
            expectEqual("partitions", List.of(0, 1, 2), numbers);
            for (TopicPartitionInfo partition : found.partitions()) {
                expectEqual("replicas", List.of(partition.leader()), partition.replicas());
                expectEqual("in-sync replicas", List.of(partition.leader()), partition.isr());
            }
            var byId = TopicCollection.ofTopicIds(Set.of(found.topicId()));
            var same = answer(admin.describeTopics(byId).allTopicIds()).get(found.topicId());
            expectEqual("the topic with this id", topic, same.name());
            answer(admin.deleteTopics(byId).all());
            waitUntil(() -> !answer(admin.listTopics().names()).contains(topic));
            Class<UnknownTopicOrPartitionException> unknown = UnknownTopicOrPartitionException.class;
            expectRefused("deleting it again", unknown, admin.deleteTopics(Set.of(topic)).all());
            expectRefused("deleting its id again", UnknownTopicIdException.class, admin.deleteTopics(byId).all());
            expectRefused("describing it", unknown, admin.describeTopics(Set.of(topic)).allTopicNames());
        });
    }

    private void refusedCreations() throws Exception {
        withTopic("refused", 1, Map.of(), topic -> {
            String other = topic + "-other";
            NewTopic good = new NewTopic(other, 1, (short) 1);
            expectRefused("a topic that exists", TopicExistsException.class, create(new NewTopic(topic, 1, (short) 1)));
            NewTopic thrice = new NewTopic(other, 1, (short) 3);
            expectRefused("factor 3", InvalidReplicationFactorException.class, create(thrice));
            expectRefused("no partitions", InvalidPartitionsException.class, create(new NewTopic(other, 0, (short) 1)));
            NewTopic spaced = new NewTopic("no spaces", 1, (short) 1);
            expectRefused("an invalid name", InvalidTopicException.class, create(spaced));
            NewTopic nowhere = new NewTopic(other, Map.of(0, List.of(4711)));
            expectRefused("an unknown broker", InvalidReplicaAssignmentException.class, create(nowhere));
            NewTopic unknown = new NewTopic(other, 1, (short) 1).configs(Map.of("no.such.config", "1"));
            expectRefused("an unknown setting", InvalidConfigurationException.class, create(unknown));
            answer(admin.createTopics(Set.of(good), new CreateTopicsOptions().validateOnly(true)).all());
            boolean exists = answer(admin.listTopics().names()).contains(other);
            expect(!exists, other + " exists though it was refused or only tried");
        });
    }

    private void topicSettings() throws Exception {
        withTopic("configured", 1, Map.of("retention.ms", "3600000"), topic -> {
            expectEqual("as created", Map.of("retention.ms", "3600000"), setOn(topic));
            ConfigEntry largest = answer(settings(topicResource(topic))).get("max.message.bytes");
            expectEqual("the type of a number", ConfigEntry.ConfigType.INT, largest.type());
            answer(alter(topicResource(topic), false,
                change(OpType.SET, "max.message.bytes", "2000"),
                change(OpType.APPEND, "cleanup.policy", "compact"),
                change(OpType.DELETE, "retention.ms", "")));
            waitUntil(() -> !setOn(topic).containsKey("retention.ms"));
            var changed = Map.of("max.message.bytes", "2000", "cleanup.policy", "delete,compact");
            expectEqual("after three changes", changed, setOn(topic));
            answer(alter(topicResource(topic), false, change(OpType.SUBTRACT, "cleanup.policy", "delete")));
            var left = Map.of("max.message.bytes", "2000", "cleanup.policy", "compact");
            waitUntil(() -> setOn(topic).equals(left));
        });
    }

    private void refusedSettings() throws Exception {
        withTopic("settled", 1, Map.of("retention.ms", "3600000"), topic -> {
            ConfigResource resource = topicResource(topic);
            Class<InvalidConfigurationException> invalid = InvalidConfigurationException.class;
            AlterConfigOp good = change(OpType.SET, "segment.ms", "60000");
            AlterConfigOp bad = change(OpType.SET, "retention.ms", "soon");
            AlterConfigOp unknown = change(OpType.SET, "no.such.config", "1");
            AlterConfigOp added = change(OpType.APPEND, "retention.ms", "1");
            expectRefused("an unknown setting", invalid, alter(resource, false, unknown));
            expectRefused("one good, one bad", invalid, alter(resource, false, good, bad));
            expectRefused("adding to a number", invalid, alter(resource, false, added));
            expectRefused("one setting twice", InvalidRequestException.class, alter(resource, false, good, good));
            ConfigResource other = topicResource(topic + "-other");
            Class<UnknownTopicOrPartitionException> nothing = UnknownTopicOrPartitionException.class;
            expectRefused("changing those of no topic", nothing, alter(other, false, good));
            expectRefused("describing those of no topic", nothing, settings(other));
            answer(alter(resource, true, good));
            expectEqual("what was refused or only tried changed", Map.of("retention.ms", "3600000"), setOn(topic));
        });
    }

    private void brokerSettings() throws Exception {
        String node = answer(admin.describeCluster().controller()).idString();
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, node);
        ConfigEntry id = answer(settings(broker)).get("node.id");
        expectEqual("node.id", node, id.value());
        expect(id.isReadOnly(), "node.id may be altered");
        AlterConfigOp fixed = change(OpType.SET, "node.id", "7");
        expectRefused("what is fixed at the start", InvalidRequestException.class, alter(broker, false, fixed));
        answer(alter(broker, true, change(OpType.SET, "message.max.bytes", "2000000")));
    }

    private KafkaFuture<Void> extend(String topic, NewPartitions wanted, boolean onlyTry) {
        return admin.createPartitions(Map.of(topic, wanted), new CreatePartitionsOptions().validateOnly(onlyTry)).all();
    }

    private void morePartitions() throws Exception {
        withTopic("extended", 1, Map.of(), topic -> {
            int leader = described(topic).partitions().get(0).leader().id();
            answer(extend(topic, NewPartitions.increaseTo(3, List.of(List.of(leader), List.of(leader))), false));
            waitUntil(() -> described(topic).partitions().size() > 1);
            produce(topic, 2, 1000, new byte[10]);
            answer(extend(topic, NewPartitions.increaseTo(9), true));
            Class<InvalidPartitionsException> invalid = InvalidPartitionsException.class;
            expectRefused("as many as there are", invalid, extend(topic, NewPartitions.increaseTo(3), false));
            expectRefused("fewer than there are", invalid, extend(topic, NewPartitions.increaseTo(2), false));
            var nowhere = NewPartitions.increaseTo(4, List.of(List.of(4711)));
            expectRefused("an unknown broker", InvalidReplicaAssignmentException.class, extend(topic, nowhere, false));
            var unknown = extend(topic + "-other", NewPartitions.increaseTo(2), false);
            expectRefused("an unknown topic", UnknownTopicOrPartitionException.class, unknown);
            expectEqual("partitions in the end", 3, described(topic).partitions().size());
            var partition = Set.of(new TopicPartition(topic, 0));
            var election = admin.electLeaders(ElectionType.PREFERRED, partition).all();
            expectRefused("electing the leader there is", ElectionNotNeededException.class, election);
        });
    }

    private long offset(TopicPartition where, OffsetSpec wanted) throws Exception {
        return answer(admin.listOffsets(Map.of(where, wanted)).all()).get(where).offset();
    }

    private void offsetsAndFiles() throws Exception {
        withTopic("offsets", 2, Map.of("retention.ms", "-1"), topic -> {
            // Out of order on purpose: the answer is the first offset whose timestamp is at or after the wanted one.
            for (long timestampMs : new long[] {1000, 3000, 2000}) {
                produce(topic, 0, timestampMs, new byte[1000]);
            }
            TopicPartition where = new TopicPartition(topic, 0);
            expectEqual("the first", 0L, offset(where, OffsetSpec.earliest()));
            expectEqual("the end", 3L, offset(where, OffsetSpec.latest()));
            expectEqual("the latest in time", 1L, offset(where, OffsetSpec.maxTimestamp()));
            expectEqual("the first at 1500", 1L, offset(where, OffsetSpec.forTimestamp(1500)));
            expectEqual("none after all", -1L, offset(where, OffsetSpec.forTimestamp(3001)));

            int leader = described(topic).partitions().get(0).leader().id();
            var folders = answer(admin.describeLogDirs(Set.of(leader)).allDescriptions()).get(leader).values();
            long size = folders.stream().map(folder -> folder.replicaInfos().get(where))
                .filter(Objects::nonNull).mapToLong(ReplicaInfo::size).sum();
            expect(3000 < size && size < 3500, "the partition has " + size + " bytes");
            var producers = answer(admin.describeProducers(Set.of(where)).all()).get(where).activeProducers();
            expectEqual("producers of the records", 3, producers.size());
            var moving = answer(admin.listPartitionReassignments(Set.of(where)).reassignments());
            expectEqual("partitions on their way to another broker", Map.of(), moving);
        });
    }
}
