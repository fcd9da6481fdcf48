import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs many of Kafka's command line tools in one Java machine, so that each does not take seconds to start.
 *
 * Reads a line for each: the class and its arguments, separated by tabs. Writes what it printed to its output and its errors
 * together, then a line with a bell and its exit code. A stack trace is cut down to its messages.
 */
public class Tools {
    private static class Exited extends RuntimeException {
        final int code;

        Exited(int code) {
            this.code = code;
        }
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream output = System.out;
        Exit.setExitProcedure((code, message) -> {
            throw new Exited(code);
        });
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split("\t");
            ByteArrayOutputStream captured = new ByteArrayOutputStream();
            PrintStream capture = new PrintStream(captured, true, StandardCharsets.UTF_8);
            System.setOut(capture);
            System.setErr(capture);
            int code = run(words[0], Arrays.copyOfRange(words, 1, words.length));
            capture.flush();
            output.print(captured.toString(StandardCharsets.UTF_8));
            output.print("\n\u0007" + code + "\n");
            output.flush();
        }
        // Threads of clients that a tool did not close must not keep this alive.
        Runtime.getRuntime().halt(0);
    }

    private static int run(String name, String[] arguments) throws Exception {
        try {
            Class.forName(name).getMethod("main", String[].class).invoke(null, (Object) arguments);
            return 0;
        } catch (InvocationTargetException failure) {
            for (Throwable cause = failure.getCause(); cause != null; cause = cause.getCause()) {
                if (cause instanceof Exited exited) {
                    return exited.code;
                }
            }
            System.err.println(failure.getCause());
            return 1;
        }
    }
}
