// Tests of actors with the Java SDK, which are hosted by Spring over HTTP and called over gRPC. Prints a line for each.
import io.dapr.actors.ActorId;
import io.dapr.actors.ActorMethod;
import io.dapr.actors.ActorType;
import io.dapr.actors.client.ActorClient;
import io.dapr.actors.client.ActorProxyBuilder;
import io.dapr.actors.runtime.AbstractActor;
import io.dapr.actors.runtime.ActorRuntime;
import io.dapr.actors.runtime.ActorRuntimeContext;
import io.dapr.actors.runtime.Remindable;
import io.dapr.client.DaprClientBuilder;
import io.dapr.utils.TypeRef;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import reactor.core.publisher.Mono;

public class Check {
    static final int PATIENCE_SECONDS = 60;
    static final Duration NOW = Duration.ZERO, SECOND = Duration.ofSeconds(1);

    // What timers, reminders and deactivations tell, for whoever waits for it.
    static final Map<String, BlockingQueue<String>> TOLD = Map.of(
            "timer", new LinkedBlockingQueue<>(), "reminder", new LinkedBlockingQueue<>(), "end", new LinkedBlockingQueue<>());

    @SpringBootApplication(scanBasePackages = "io.dapr.springboot")
    static class Host {}

    @ActorType(name = "Crate")
    public interface Crate {
        String add(String thing);

        void fail(String reason);

        @ActorMethod(name = "beat_now")
        void beat(String name);

        // The SDK looks for the callback of a timer among the methods of the interface.
        void beaten(String data);

        void quiet(String name);

        void remind(String name);

        void forget(String name);
    }

    public static class CrateActor extends AbstractActor implements Crate, Remindable<String> {
        public CrateActor(ActorRuntimeContext context, ActorId id) {
            super(context, id);
        }

        @Override
        public String add(String thing) {
            var state = getActorStateManager();
            String things = state.contains("things").block() ? state.get("things", String.class).block() + ", " + thing : thing;
            state.set("things", things).block();
            return things;
        }

        @Override
        public void fail(String reason) {
            throw new IllegalStateException(reason);
        }

        @Override
        public void beat(String name) {
            registerActorTimer(name, "beaten", "tick", SECOND, SECOND).block();
        }

        @Override
        public void quiet(String name) {
            unregisterTimer(name).block();
        }

        @Override
        public void beaten(String data) {
            TOLD.get("timer").add(getId() + " " + data);
        }

        @Override
        public void remind(String name) {
            registerReminder(name, "soon", NOW, SECOND).block();
        }

        @Override
        public void forget(String name) {
            unregisterReminder(name).block();
        }

        @Override
        public TypeRef<String> getStateType() {
            return TypeRef.STRING;
        }

        @Override
        public Mono<Void> receiveReminder(String name, String data, Duration due, Duration period) {
            TOLD.get("reminder").add(getId() + " " + name + " " + data);
            return Mono.empty();
        }

        @Override
        protected Mono<Void> onDeactivate() {
            TOLD.get("end").add(getId().toString());
            return super.onDeactivate();
        }
    }

    interface Case {
        void run() throws Exception;
    }

    final ActorProxyBuilder<Crate> builder;

    Check(ActorClient client) {
        builder = new ActorProxyBuilder<>(Crate.class, client);
    }

    Crate crate(String id) {
        return builder.build(new ActorId(id));
    }

    void state() {
        crate("1").add("a book");
        equal(crate("1").add("a pen"), "a book, a pen");
        equal(crate("2").add("a cup"), "a cup");
    }

    void an_error() {
        try {
            crate("1").fail("no room");
        } catch (RuntimeException error) {
            return;
        }
        throw new AssertionError("the error of the actor did not arrive");
    }

    void a_timer() throws Exception {
        crate("3").beat("beat");
        for (int tick = 0; tick < 2; tick++) {
            equal(come("timer"), "3 tick");
        }
        crate("3").quiet("beat");
    }

    void a_reminder() throws Exception {
        crate("4").remind("pay");
        for (int tick = 0; tick < 2; tick++) {
            equal(come("reminder"), "4 pay soon");
        }
        crate("4").forget("pay");
    }

    void an_idle_actor_ends_and_comes_back_with_its_state() throws Exception {
        crate("5").add("a hat");
        while (!come("end").equals("5")) {
            // Others are idle as well.
        }
        equal(crate("5").add("a coat"), "a hat, a coat");
    }

    static String come(String kind) throws Exception {
        String came = TOLD.get(kind).poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
        if (came == null) {
            throw new AssertionError("no " + kind + " came");
        }
        return came;
    }

    static void equal(String found, String expected) {
        if (!expected.equals(found)) {
            throw new AssertionError("'" + found + "' is not '" + expected + "'");
        }
    }

    static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    public static void main(String[] arguments) throws Exception {
        ActorRuntime.getInstance().getConfig().setActorIdleTimeout(Duration.ofSeconds(2));
        ActorRuntime.getInstance().registerActor(CrateActor.class);
        SpringApplication host = new SpringApplication(Host.class);
        host.setDefaultProperties(Map.of("spring.main.banner-mode", "off", "logging.level.root", "off"));
        host.run("--server.address=127.0.0.1", "--server.port=" + System.getenv("APP_PORT"));
        new DaprClientBuilder().build().waitForSidecar(PATIENCE_SECONDS * 1000).block();
        Check check = new Check(new ActorClient());
        Map<String, Case> cases = new LinkedHashMap<>();
        cases.put("state", check::state);
        cases.put("an_error", check::an_error);
        cases.put("a_timer", check::a_timer);
        cases.put("a_reminder", check::a_reminder);
        cases.put("an_idle_actor_ends_and_comes_back_with_its_state", check::an_idle_actor_ends_and_comes_back_with_its_state);
        for (Map.Entry<String, Case> one : cases.entrySet()) {
            try {
                one.getValue().run();
                say("passed " + one.getKey());
            } catch (Throwable error) {
                error.printStackTrace();
                say("failed " + one.getKey() + ": " + error);
            }
        }
        say("finished");
        System.exit(0);
    }
}
