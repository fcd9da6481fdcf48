import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.QuotaConfig;

/**
 * Prints broker/src/config/catalogue/kafka-4.3.1.settings from the definitions in Kafka's jars.
 *
 *     tests/kafka/install
 *     java -cp 'target/kafka/libs/*' tests/kafka/Settings.java > broker/src/config/catalogue/kafka-4.3.1.settings
 *
 * Kept are names, types, defaults, which values are allowed and what may be changed while a broker runs; left out is the
 * prose. The test `settings` runs this and compares.
 */
public class Settings {
    private static final List<String> HEADER = List.of(
        "# Every setting of a broker of Apache Kafka %s: the facts of the definitions in its jars, without their prose.",
        "# Written by tests/kafka/Settings.java; do not edit. One line per setting:",
        "#",
        "#   <name> <type> <when it may change> <allowed> [internal] [=<default>]",
        "#",
        "# It may change while the broker runs for each broker (per-broker), for all at once too (cluster-wide), only so, never in a",
        "# file (dynamic-only), or not at all (read-only). Allowed are any values, numbers from..to, words separated by |, or what a",
        "# validator checks that has no such form (checked). Without a default the setting is not set.");

    public static void main(String[] arguments) {
        for (String line : HEADER) {
            System.out.println(String.format(line, AppInfoParser.getVersion()));
        }
        Map<String, String> modes = DynamicBrokerConfig.dynamicConfigUpdateModes();
        Map<String, String> lines = new TreeMap<>();
        for (ConfigDef.ConfigKey key : AbstractKafkaConfig.CONFIG_DEF.configKeys().values()) {
            lines.put(key.name, line(key, modes.getOrDefault(key.name, "read-only")));
        }
        for (ConfigDef.ConfigKey key : QuotaConfig.brokerQuotaConfigs().configKeys().values()) {
            lines.put(key.name, line(key, "dynamic-only"));
        }
        lines.values().forEach(System.out::println);
    }

    private static String line(ConfigDef.ConfigKey key, String mode) {
        boolean isSet = key.defaultValue != ConfigDef.NO_DEFAULT_VALUE && key.defaultValue != null;
        String value = isSet ? " =" + ConfigDef.convertToString(key.defaultValue, key.type) : "";
        String internal = key.internalConfig ? " internal" : "";
        return key.name + " " + key.type + " " + mode + " " + allowed(key.validator) + internal + value;
    }

    /** Validators print themselves: [1,...] for numbers from 1, [1,...,9] for a range, [a, b] for words. */
    private static String allowed(ConfigDef.Validator validator) {
        String text = validator == null ? "" : validator.toString();
        if (text.isEmpty()) {
            return "any";
        }
        if (validator instanceof ConfigDef.Range && text.matches("\\[-?[\\d.]+,\\.\\.\\.(,-?[\\d.]+)?\\]")) {
            String[] ends = text.substring(1, text.length() - 1).split(",");
            return ends[0] + ".." + (ends.length > 2 ? ends[2] : "");
        }
        if (validator instanceof ConfigDef.ValidString || validator instanceof ConfigDef.ValidList) {
            boolean isWords = text.matches("\\[\\w+(, \\w+)*\\]");
            return isWords ? String.join("|", Arrays.asList(text.substring(1, text.length() - 1).split(", "))) : "checked";
        }
        return "checked";
    }
}
