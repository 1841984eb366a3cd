import java.io.FileOutputStream;
import java.io.ObjectOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.LinkedHashMap;

/** Writes offset files as FileOffsetBackingStore does: one HashMap<byte[],byte[]> each. */
public class OffsetFiles {
    static byte[] utf8(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    static void write(String file, Object map) throws Exception {
        try (ObjectOutputStream out = new ObjectOutputStream(new FileOutputStream(file))) {
            out.writeObject(map);
        }
    }

    public static void main(String[] args) throws Exception {
        HashMap<byte[], byte[]> map = new HashMap<>();
        write("empty.bin", map);
        map.put(utf8("[\"local-file-source\",{\"filename\":\"/tmp/test.txt\"}]"), utf8("{\"position\":42}"));
        write("one.bin", map);
        map.put(utf8("[\"mm2\",{\"cluster\":\"a\",\"partition\":0,\"topic\":\"t\"}]"), utf8("{\"offset\":7}"));
        map.put(utf8("[\"removed\",{\"k\":1}]"), null);
        map.put(utf8("[\"\u00fcmlaut \u6f22\",{\"a\":null}]"), utf8("{\"x\":\"\\u0001\"}"));
        byte[] shared = utf8("{\"shared\":true}");
        map.put(utf8("[\"s\",{\"n\":1}]"), shared);
        map.put(utf8("[\"s\",{\"n\":2}]"), shared);
        map.put(new byte[] {0, (byte) 0xff, 10}, new byte[0]);
        for (int i = 0; i < 300; i++) {
            map.put(utf8("[\"many\",{\"i\":" + i + "}]"), utf8("{\"o\":" + 2 * i + "}"));
        }
        write("many.bin", map);
        write("linked.bin", new LinkedHashMap<>(map)); // another class: refused
        HashMap<String, String> strings = new HashMap<>();
        strings.put("k", "v");
        write("strings.bin", strings); // other entries: refused
    }
}
