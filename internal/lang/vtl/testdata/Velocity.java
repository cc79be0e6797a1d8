import com.jayway.jsonpath.JsonPath;
import java.io.StringWriter;
import java.util.Map;
import net.minidev.json.JSONArray;
import net.minidev.json.JSONStyle;
import net.minidev.json.JSONValue;
import org.apache.velocity.VelocityContext;
import org.apache.velocity.app.VelocityEngine;
import org.apache.velocity.app.event.EventCartridge;
import org.apache.velocity.app.event.ReferenceInsertionEventHandler;

/** Answers a list of templates on stdin, over the document of its argument, with what Velocity renders. */
public class Velocity {
    public static void main(String[] args) throws Exception {
        VelocityEngine engine = new VelocityEngine();
        engine.setProperty("runtime.log.logsystem.class", "org.apache.velocity.runtime.log.NullLogChute");
        engine.setProperty("directive.set.null.allowed", "true");
        engine.setProperty("velocimacro.permissions.allow.inline.local.scope", "true");
        engine.init();
        JSONArray out = new JSONArray();
        int n = 0;
        for (Object template : (JSONArray) JSONValue.parse(new String(System.in.readAllBytes(), "UTF-8"))) {
            out.add(render(engine, args[0], "t" + n++, (String) template));
        }
        System.out.write(out.toJSONString(JSONStyle.LT_COMPRESS).getBytes("UTF-8"));
        System.out.flush();
    }

    static String render(VelocityEngine engine, String document, String name, String template) {
        try {
            Map<String, Object> data = JsonPath.parse(document).read("$");
            VelocityContext context = new VelocityContext(data);
            EventCartridge events = new EventCartridge();
            events.addEventHandler(new ReferenceInsertionEventHandler() {
                public Object referenceInsert(String reference, Object value) {
                    return value == null ? "" : value; // the service prints nothing for null
                }
            });
            events.attachToContext(context);
            StringWriter w = new StringWriter();
            engine.evaluate(context, w, name, template);
            return w.toString();
        } catch (Exception e) {
            return null;
        }
    }
}
