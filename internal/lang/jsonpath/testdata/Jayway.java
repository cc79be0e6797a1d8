import com.jayway.jsonpath.Configuration;
import com.jayway.jsonpath.JsonPath;
import com.jayway.jsonpath.Option;
import net.minidev.json.JSONArray;
import net.minidev.json.JSONStyle;
import net.minidev.json.JSONValue;

/** Answers a list of paths on stdin, over the document of its argument, with a list of what they find. */
public class Jayway {
    static final Configuration LENIENT = Configuration.defaultConfiguration().addOptions(Option.SUPPRESS_EXCEPTIONS);

    public static void main(String[] args) throws Exception {
        JSONArray out = new JSONArray();
        for (Object path : (JSONArray) JSONValue.parse(new String(System.in.readAllBytes(), "UTF-8"))) {
            out.add(find(args[0], (String) path));
        }
        System.out.write(out.toJSONString(JSONStyle.LT_COMPRESS).getBytes("UTF-8"));
        System.out.flush();
    }

    static String find(String document, String path) {
        try {
            return JSONValue.toJSONString(JsonPath.using(LENIENT).parse(document).read(path), JSONStyle.LT_COMPRESS);
        } catch (Exception e) {
            return null;
        }
    }
}
