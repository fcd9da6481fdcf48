import java.util.List;

/** Holds the conversations of Kafka's own Java library. Start it with `run`. */
class Main {
    public static void main(String[] arguments) throws Exception {
        if (arguments.length < 1 || arguments.length > 2) {
            System.err.println("usage: run HOST:PORT [WORD]\nheld are the conversations whose name contains WORD");
            System.exit(1);
        }
        String word = arguments.length == 2 ? arguments[1] : "";
        int held = 0;
        int failed = 0;
        for (Conversations each : List.of(new Administration(arguments[0]), new Groups(arguments[0]))) {
            int[] counts = each.hold(word);
            held += counts[0];
            failed += counts[1];
        }
        // A conversation that was given up may still wait.
        Runtime.getRuntime().halt(held > 0 && failed == 0 ? 0 : 1);
    }
}
