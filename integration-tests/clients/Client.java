import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.Callable;

import org.sourcelab.kafka.connect.apiclient.Configuration;
import org.sourcelab.kafka.connect.apiclient.KafkaConnectClient;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorDefinition;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPlugin;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigDefinition;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigValidationResults;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorStatus;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorsWithExpandedMetadata;
import org.sourcelab.kafka.connect.apiclient.request.dto.NewConnectorDefinition;
import org.sourcelab.kafka.connect.apiclient.request.dto.Task;
import org.sourcelab.kafka.connect.apiclient.request.post.PostConnectorRestart;
import org.sourcelab.kafka.connect.apiclient.rest.exceptions.ConcurrentConfigModificationException;
import org.sourcelab.kafka.connect.apiclient.rest.exceptions.InvalidRequestException;
import org.sourcelab.kafka.connect.apiclient.rest.exceptions.ResourceNotFoundException;

/** Drives org.sourcelab:kafka-connect-client, which AKHQ uses, through all that it offers. */
public final class Client {
  static KafkaConnectClient client;

  public static void main(String[] args) throws Exception {
    client = new KafkaConnectClient(new Configuration(args[0]));
    String one = args[1] + "-one";
    server(args[0]);
    validate(one);
    create(one);
    read(one, args[0].replaceFirst("https?://", ""));
    change(one);
    delete(one);
  }

  static void server(String url) {
    var version = client.getConnectServerVersion();
    check(!version.getVersion().isEmpty() && !version.getCommit().isEmpty() && !version.getKafkaClusterId().isEmpty(), version);
    Map<String, ConnectorPlugin> plugins = new TreeMap<>();
    client.getConnectorPlugins().forEach(p -> plugins.put(p.getClassName(), p));
    ConnectorPlugin sink = plugins.get("org.apache.kafka.connect.file.FileStreamSinkConnector");
    check(sink != null && sink.getType().equals("sink") && !sink.getVersion().isEmpty(), plugins);
  }

  static Map<String, String> source(String name) {
    Map<String, String> config = new TreeMap<>();
    config.put("connector.class", "org.apache.kafka.connect.tools.VerifiableSourceConnector");
    config.put("tasks.max", "1");
    config.put("topic", name);
    config.put("throughput", "20");
    return config;
  }

  static void validate(String name) {
    Map<String, String> config = source(name);
    config.put("name", name);
    ConnectorPluginConfigValidationResults good = results(config);
    check(good.getErrorCount() == 0 && good.getGroups().contains("Common") && good.getConfigs().size() > 20, good);
    for (var c : good.getConfigs()) {
      var d = c.getDefinition();
      check(Objects.equals(d.getName(), c.getValue().getName()) && !d.getType().isEmpty() && !d.getImportance().isEmpty()
          && !d.getWidth().isEmpty() && d.getDisplayName() != null && d.getDependents() != null && d.getDocumentation() != null, c);
      check(c.getValue().getErrors().isEmpty() && c.getValue().getRecommendedValues() != null && c.getValue().isVisible(), c);
    }
    config.put("tasks.max", "x");
    List<String> errors = new ArrayList<>();
    results(config).getConfigs().forEach(c -> errors.addAll(c.getValue().getErrors()));
    check(errors.size() == 2 && errors.get(0).startsWith("Invalid value x for configuration tasks.max"), errors);
  }

  static ConnectorPluginConfigValidationResults results(Map<String, String> config) {
    return client.validateConnectorPluginConfig(
        ConnectorPluginConfigDefinition.newBuilder().withName("VerifiableSourceConnector").withConfig(config).build());
  }

  static void create(String name) throws Exception {
    var definition = NewConnectorDefinition.newBuilder().withName(name).withConfig(source(name)).build();
    ConnectorDefinition created = settled(() -> client.addConnector(definition));
    check(created.getName().equals(name) && created.getType().equals("source") && created.getTasks().isEmpty(), created);
    await(name, "RUNNING", "RUNNING");
    // It means every 409 by that.
    refused(ConcurrentConfigModificationException.class, () -> client.addConnector(definition));
    Map<String, String> bad = source(name + "-bad");
    bad.put("tasks.max", "x");
    refused(InvalidRequestException.class,
        () -> client.addConnector(NewConnectorDefinition.newBuilder().withName(name + "-bad").withConfig(bad).build()));
  }

  static void read(String name, String workerId) throws Exception {
    check(client.getConnectors().contains(name), "not listed");
    ConnectorDefinition info = settled(() -> client.getConnector(name));
    check(info.getTasks().size() == 1 && info.getConfig().get("topic").equals(name), info);
    check(settled(() -> client.getConnectorConfig(name)).equals(info.getConfig()), "config");
    ConnectorStatus status = client.getConnectorStatus(name);
    check(status.getType().equals("source") && status.getConnector().get("worker_id").equals(workerId)
        && status.getTasks().get(0).getWorkerId().equals(workerId) && status.getTasks().get(0).getTrace() == null, status);
    check(client.getConnectorsWithExpandedInfo().getDefinitionForConnector(name).getConfig().equals(info.getConfig()), "expanded info");
    check(states(client.getConnectorsWithExpandedStatus().getStatusForConnector(name)).equals(List.of("RUNNING", "RUNNING")), "expanded status");
    ConnectorsWithExpandedMetadata all = client.getConnectorsWithAllExpandedMetadata();
    check(all.getConnectorNames().contains(name) && all.getStatusForConnector(name) != null
        && all.getDefinitionForConnector(name).getName().equals(name), all);
    Collection<Task> tasks = settled(() -> client.getConnectorTasks(name));
    Task task = tasks.iterator().next();
    check(task.getId().getConnector().equals(name) && task.getId().getTask() == 0 && task.getConfig().get("topic").equals(name), task);
    check(client.getConnectorTaskStatus(name, 0).getState().equals("RUNNING"), "task");
    eventually("the topic is known", () -> client.getConnectorTopics(name).getTopics().equals(List.of(name)));
    check(client.resetConnectorTopics(name), "reset");
  }

  static void change(String name) throws Exception {
    Map<String, String> config = source(name);
    config.put("throughput", "10");
    ConnectorDefinition updated = settled(() -> client.updateConnectorConfig(name, config));
    check(updated.getConfig().get("throughput").equals("10"), updated);
    await(name, "RUNNING", "RUNNING");
    check(settled(() -> client.restartConnectorTask(name, 0)), "restart of the task");
    check(settled(() -> client.restartConnector(name)), "restart");
    check(settled(() -> client.restartConnector(new PostConnectorRestart(name).withIncludeTasks(true).withOnlyFailed(false))), "restart of all");
    await(name, "RUNNING", "RUNNING");
    check(client.pauseConnector(name), "pause");
    await(name, "PAUSED", "PAUSED");
    check(client.resumeConnector(name), "resume");
    await(name, "RUNNING", "RUNNING");
    check(settled(() -> client.stopConnector(name)), "stop");
    await(name, "STOPPED");
  }

  static void delete(String name) throws Exception {
    check(settled(() -> client.deleteConnector(name)), "delete");
    eventually("it is gone", () -> !client.getConnectors().contains(name));
    refused(ResourceNotFoundException.class, () -> client.getConnector(name));
    refused(ResourceNotFoundException.class, () -> client.pauseConnector(name));
  }

  static List<String> states(ConnectorStatus status) {
    List<String> states = new ArrayList<>(List.of(status.getConnector().get("state")));
    status.getTasks().forEach(t -> states.add(t.getState()));
    return states;
  }

  static void await(String name, String... want) throws Exception {
    eventually(name + " is " + List.of(want), () -> states(client.getConnectorStatus(name)).equals(List.of(want)));
  }

  static void eventually(String what, Callable<Boolean> test) throws Exception {
    for (long deadline = System.nanoTime() + 60_000_000_000L; ; Thread.sleep(50)) {
      Exception last = null;
      try {
        if (test.call()) {
          return;
        }
      } catch (ResourceNotFoundException | ConcurrentConfigModificationException e) {
        last = e;
      }
      if (System.nanoTime() > deadline) {
        throw new AssertionError("not true: " + what, last);
      }
    }
  }

  /** Repeats a request that a rebalance refuses, as every user of Connect must. */
  static <T> T settled(Callable<T> request) throws Exception {
    for (long deadline = System.nanoTime() + 60_000_000_000L; ; Thread.sleep(100)) {
      try {
        return request.call();
      } catch (ConcurrentConfigModificationException e) {
        if (System.nanoTime() > deadline) {
          throw e;
        }
      }
    }
  }

  static void refused(Class<? extends Exception> with, Callable<?> request) throws Exception {
    try {
      request.call();
    } catch (Exception e) {
      check(with.isInstance(e), e);
      return;
    }
    throw new AssertionError("not refused with " + with.getSimpleName());
  }

  static void check(boolean ok, Object what) {
    if (!ok) {
      throw new AssertionError(String.valueOf(what));
    }
  }
}
