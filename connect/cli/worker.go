package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/config/provider"
	"github.com/penstock-io/penstock/connect/group"
	"github.com/penstock-io/penstock/connect/herder"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/connect/validate"
	"github.com/penstock-io/penstock/connect/worker"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/internal/logging"
	"github.com/penstock-io/penstock/internal/redact"
	"github.com/penstock-io/penstock/rest"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/filestore"
	"github.com/penstock-io/penstock/storage/kafkastore"
	"github.com/penstock-io/penstock/storage/memstore"
)

// Worker is one worker with all its parts. Start order: Kafka, REST (which answers 404
// until the end of the start), stores and group (the herder), REST resources. The end is
// the reverse.
type Worker struct {
	program    Program
	settings   *settings.Worker
	plugins    *plugin.Registry
	providers  provider.Providers
	secrets    *secrets
	access     *entrance
	connectors []connectorFile // of a standalone worker
	log        *zap.Logger
	levels     *logging.Levels
	listening  chan string // gets the worker's URL once REST answers
}

// NewWorker checks the worker's properties; nothing is opened yet. All problems are
// returned together. levels are what REST shows and changes of log.
func (p Program) NewWorker(mode settings.Mode, props map[string]string, log *zap.Logger, levels *logging.Levels) (*Worker, error) {
	w := &Worker{program: p, log: log, levels: levels, listening: make(chan string, 1)}
	var err error
	if w.plugins, err = plugin.New(p.Plugins); err != nil {
		return nil, err
	}
	w.secrets = newSecrets(w.plugins)
	levels.Hide(w.secrets.Hide)
	if err := w.configure(mode, props); err != nil {
		return nil, redact.Error(err, w.secrets.Hide)
	}
	return w, nil
}

func (w *Worker) configure(mode settings.Mode, props map[string]string) (err error) {
	w.secrets.Keep(w.secrets.of(props)...)
	if w.providers, err = provider.FromProps(props, w.newProvider); err != nil {
		return err
	}
	resolved, err := w.providers.Resolve(props)
	if err != nil {
		return err
	}
	w.secrets.Keep(w.secrets.inResult(resolved)...)
	if w.settings, err = settings.ParseWorker(resolved.Props, mode); err != nil {
		return err
	}
	w.access, err = w.program.newEntrance(w.settings, w.log)
	return errors.Join(append(w.unknownConverters(), err)...)
}

// newProvider makes a config provider by class name, simple name or alias.
func (w *Worker) newProvider(class string) (provider.Provider, bool) {
	all := provider.Builtin(func(msg string) { w.log.Warn(msg) })
	maps.Copy(all, w.program.ConfigProviders)
	for full, newProvider := range all {
		if simple := full[strings.LastIndexByte(full, '.')+1:]; class == full || class == simple || class == strings.TrimSuffix(simple, "ConfigProvider") {
			return newProvider(), true
		}
	}
	return nil, false
}

// unknownConverters refuses converters that are not linked in at the start, as the JVM
// does, and not with the first connector that uses them.
func (w *Worker) unknownConverters() (problems []error) {
	check := func(key, class string, err error) {
		if err != nil {
			problems = append(problems, &config.Error{Key: key, Msg: fmt.Sprintf("Invalid value %s for configuration %s: Class %s could not be found. "+
				"`worker plugins` lists what there is; Java classes cannot be loaded.", class, key, class)})
		}
	}
	s := w.settings
	_, err := w.plugins.Converter(s.KeyConverter.Class)
	check("key.converter", s.KeyConverter.Class, err)
	_, err = w.plugins.Converter(s.ValueConverter.Class)
	check("value.converter", s.ValueConverter.Class, err)
	_, err = w.plugins.HeaderConverter(s.HeaderConverter.Class)
	check("header.converter", s.HeaderConverter.Class, err)
	return problems
}

// versionWarnings tells which of the worker's converters are not there in the version that
// its properties demand. As in the JVM that is no reason not to start: a connector may name
// others.
func (w *Worker) versionWarnings() (warnings []string) {
	check := func(key, class, version string, find func(string) (interface{ CheckVersion(string) error }, error)) {
		if p, err := find(class); err == nil {
			if err := p.CheckVersion(version); err != nil {
				warnings = append(warnings, fmt.Sprintf("Invalid version range for %s.plugin.version: %s. %v. Tasks that use this converter will fail.", key, version, err))
			}
		}
	}
	s := w.settings
	converter := func(class string) (interface{ CheckVersion(string) error }, error) { return w.plugins.Converter(class) }
	header := func(class string) (interface{ CheckVersion(string) error }, error) {
		return w.plugins.HeaderConverter(class)
	}
	check("key.converter", s.KeyConverter.Class, s.KeyConverter.Version, converter)
	check("value.converter", s.ValueConverter.Class, s.ValueConverter.Version, converter)
	check("header.converter", s.HeaderConverter.Class, s.HeaderConverter.Version, header)
	return warnings
}

// URL waits until REST answers and returns its advertised URL, with a slash at the end. It
// is for one caller; ctx has to end when Run does.
func (w *Worker) URL(ctx context.Context) (string, error) {
	select {
	case url := <-w.listening:
		return url, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// resolve replaces placeholders, and has the secrets of the result hidden from then on. It is
// for what starts.
func (w *Worker) resolve(props map[string]string) (map[string]string, error) {
	r, err := w.providers.Resolve(props)
	w.secrets.Add(w.secrets.inResult(r)...)
	return r.Props, err
}

// resolveToCheck replaces the placeholders of a config that is only to be checked. hide takes
// its secrets out of a text, along with the worker's. They are not hidden elsewhere: else who
// may have a config checked could blank words in the worker's log, or push out its secrets.
func (w *Worker) resolveToCheck(props map[string]string) (resolved map[string]string, hide func(text string) string, err error) {
	r, err := w.providers.Resolve(props)
	if err != nil {
		r.Props = props
	}
	found := w.secrets.inResult(r)
	both := sync.OnceValue(func() *redact.Set { return w.secrets.With(found...) }) // most configs are right
	return r.Props, func(text string) string { return both().Hide(text) }, err
}

// Run works until ctx ends (nil) or something breaks. It is called once.
func (w *Worker) Run(ctx context.Context) (err error) {
	defer func() { err = redact.Error(err, w.secrets.Hide) }()
	w.log.Info("Kafka version: " + KafkaVersion + " (Penstock " + w.program.version() + ", commit " + w.program.commit() + ")")
	w.log.Info(w.settings.Dump())
	for _, warning := range append(w.settings.Warnings(), w.versionWarnings()...) {
		w.log.Warn(warning)
	}
	for _, key := range w.settings.UnknownKeys() {
		w.log.Warn("The configuration '" + key + "' was supplied but isn't a known config.")
	}
	defer func() { err = errors.Join(err, w.providers.Close()) }()
	stopProfiles, err := serveProfiles(w.log)
	if err != nil {
		return startError(ctx, err)
	}
	defer stopProfiles()
	admin, err := kafka.NewClient(ctx, w.settings.SharedAdmin(), w.log.Named("kafka"))
	if err != nil {
		return startError(ctx, fmt.Errorf("connect to Kafka at %v (bootstrap.servers): %w", w.settings.BootstrapServers, err))
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	cluster, err := admin.ClusterID(ctx)
	if err != nil {
		return startError(ctx, fmt.Errorf("ask Kafka for its cluster id: %w", err))
	}
	w.log.Info("Kafka cluster ID: " + cluster)
	rester := w.access.client()
	defer rester.Close()
	options := rest.Options{
		Info: api.ServerInfo{Version: KafkaVersion, Commit: w.program.commit(), KafkaClusterID: cluster}, Client: rester,
		TrackTopics: w.settings.TopicTracking, ResetAllowed: w.settings.TopicTrackingReset,
		Loggers: w.adminLoggers(), Log: w.log.Named("rest"), Hide: w.secrets.Hide,
	}
	w.secure(&options)
	var closeExtensions func() error
	options.Extensions, closeExtensions, err = w.configureExtensions()
	defer func() { err = errors.Join(err, closeExtensions()) }()
	if err != nil {
		return startError(ctx, err)
	}
	if options.Audit, err = w.openAudit(); err != nil {
		return startError(ctx, err)
	}
	if options.Audit != nil {
		defer func() { err = errors.Join(err, options.Audit.Close()) }()
	}
	defer w.access.users.run(ctx)()
	server, err := rest.Listen(options)
	if err != nil {
		return startError(ctx, err)
	}
	url, id := w.settings.REST.Advertised(func(i int) int { return server.Ports()[i] }, localAddress())
	if w.access.users.on {
		rester.Sign = w.access.users.vouch(url)
	}
	h, runtime, err := w.herder(ctx, admin, rester, url, id)
	if err != nil {
		return errors.Join(err, w.stopREST(server))
	}
	defer runtime.Close()
	return w.serve(ctx, server, h, url)
}

// serve runs the herder behind REST until ctx ends or one of them breaks.
func (w *Worker) serve(ctx context.Context, server *rest.Server, h *herder.Herder, url string) error {
	herderCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- h.Run(herderCtx) }()
	if err := server.Mount(h, url); err != nil {
		stop()
		<-ended //nolint:errcheck // the end that was asked for
		return errors.Join(&config.Error{Key: "rest.extension.classes", Msg: err.Error()}, w.stopREST(server))
	}
	w.log.Info("REST resources initialized; server is started and ready to handle requests", zap.String("url", url))
	w.log.Info("Kafka Connect started")
	w.listening <- url

	createCtx, stopCreating := context.WithCancel(ctx)
	defer stopCreating()
	created := make(chan error, 1)
	go func() { created <- w.createConnectors(createCtx, h) }()
	creating, running := true, true
	var err error
	for wait := true; wait; {
		select {
		case <-ctx.Done():
			wait = false
		case failed := <-created:
			// Its end is not the worker's, unless a connector was refused.
			creating, created, err = false, nil, failed
			wait = failed == nil
		case err = <-server.Failed():
			wait = false
		case err = <-ended:
			running, wait = false, false
			if !h.Started() {
				err = startError(ctx, err)
			}
		}
	}
	w.log.Info("Kafka Connect stopping")
	if stopCreating(); creating {
		err = errors.Join(err, <-created)
	}
	err = errors.Join(err, w.stopREST(server))
	stop()
	if running {
		// A start that is cut short fails with the cancellation that was asked for.
		if failed := <-ended; !errors.Is(failed, context.Canceled) {
			err = errors.Join(err, failed)
		}
	}
	w.log.Info("Kafka Connect stopped")
	return err
}

const restStop = 2 * time.Second

// stopREST gives requests under way a short time to end; they fail then, and clients
// ask another worker.
func (w *Worker) stopREST(server *rest.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), restStop)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop the REST interface: %w", err)
	}
	return nil
}

// createConnectors creates the connectors of a standalone worker's files.
func (w *Worker) createConnectors(ctx context.Context, h *herder.Herder) error {
	if len(w.connectors) == 0 {
		return nil
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !h.Started() {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	for _, c := range w.connectors {
		info, _, err := h.PutConnector(ctx, c.Name, c.Config, c.initial, false)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop meanwhile
		}
		if err != nil {
			return badConfig(c.path, err)
		}
		w.log.Info("Created connector " + info.Name)
	}
	return nil
}

// herder makes the herder with its stores, its group member and its runtime.
func (w *Worker) herder(ctx context.Context, admin *kafka.Client, rester *client.Client, url, id string) (*herder.Herder, *worker.Worker, error) {
	s, st := w.settings, w.stores(admin)
	w.access.users.configs = st.configs
	var h *herder.Herder
	statuses := &worker.Statuses{Store: st.statuses, WorkerID: id, Generation: func() int { return h.Generation() }, Hide: w.secrets.Hide}
	options := worker.Options{
		Settings: s, Plugins: w.plugins, Statuses: statuses, Resolve: w.resolve, Offsets: st.offsets,
		Reconfigure: func(connector string) { h.RequestReconfiguration(connector) }, Log: w.log,
		TaskCount: func(connector string) int { return st.configs.Snapshot().TasksMade(connector) },
	}
	if s.Mode == settings.Distributed {
		options.Fence = func(ctx context.Context, connector string) error { return h.RequestFence(ctx, connector) }
		options.Fenced = func(id connect.TaskID) { h.TaskFenced(id) }
		options.TaskGeneration = func(connector string) int { return h.TaskGeneration(connector) }
		options.VerifyTask = func(ctx context.Context, id connect.TaskID, generation int) error {
			return h.VerifyTask(ctx, id, generation)
		}
	}
	runtime := worker.New(options)
	var err error
	h, err = herder.New(herder.Options{
		WorkerID: id, URL: url, Configs: st.configs, StatusDB: st.statuses, Offsets: st.offsets, Statuses: statuses, Runtime: runtime, Plugins: w.plugins,
		Validator:          validate.New(validate.Options{Plugins: w.plugins, Worker: s, Resolve: w.resolveToCheck}),
		Leader:             &client.Leader{Client: rester, Algorithm: s.Signing.Algorithm, Sign: herder.Sign},
		NewMember:          func(l group.Listener) (herder.Member, error) { return w.member(ctx, l, rester, url, id) },
		ValidateAt:         rester.ValidateConnector,
		LeaderTransactions: s.LeaderProducer() != nil, ExactlyOnce: s.ExactlyOnceEnabled(),
		SyncTimeout: s.SyncTimeout, MaxDelay: s.MaxDelay, UnsyncBackoff: s.UnsyncBackoff, Signing: herder.Signing(s.Signing), RequireSignatures: w.access.users.on,
		TrackTopics: s.TopicTracking, ApplyLogLevel: func(namespace, level string) { w.levels.Set(namespace, level) },
		Providers: w.providers, Log: w.log.Named("herder"), ShutdownBudget: s.GracefulTimeout + 5*time.Second,
	})
	if err != nil {
		runtime.Close()
		return nil, nil, startError(ctx, err)
	}
	return h, runtime, nil
}

// stores are what a worker remembers: in Kafka, or in memory and a file.
type stores struct {
	configs  storage.ConfigStore
	statuses storage.StatusStore
	offsets  storage.OffsetStore
}

// stores makes the stores; the herder starts and stops them.
func (w *Worker) stores(admin *kafka.Client) stores {
	s, log := w.settings, w.log.Named("storage")
	if s.Mode == settings.Standalone {
		return stores{memstore.NewConfigStore(), memstore.NewStatusStore(), filestore.NewOffsetStore(s.OffsetFile, log)}
	}
	return stores{
		kafkastore.NewConfigStore(kafkastore.Options{Topic: kafkastore.Topic(s.ConfigTopic), Producer: s.ConfigProducer(), Consumer: s.ConfigConsumer(),
			Leader: s.LeaderProducer(), Admin: admin, Log: log}),
		kafkastore.NewStatusStore(kafkastore.Options{Topic: kafkastore.Topic(s.StatusTopic), Producer: s.StatusProducer(), Consumer: s.StatusConsumer(), Admin: admin, Log: log}),
		kafkastore.NewOffsetStore(kafkastore.OffsetOptions{Topic: kafkastore.Topic(s.OffsetTopic), Producer: s.OffsetTopicProducer(), Consumer: s.OffsetTopicConsumer(), Admin: admin, Log: log}),
	}
}

func (w *Worker) member(ctx context.Context, l group.Listener, rester *client.Client, url, id string) (herder.Member, error) {
	s := w.settings
	if s.Mode == settings.Standalone {
		return herder.NewSolo(url, l), nil
	}
	return group.NewMember(ctx, group.Options{
		GroupID: s.GroupID, WorkerID: id, URL: url, Client: s.GroupMember(id),
		SessionTimeout: s.SessionTimeout, RebalanceTimeout: s.RebalanceTimeout, HeartbeatInterval: s.HeartbeatInterval,
		RetryBackoff: s.RetryBackoff, MaxDelay: s.MaxDelay, Protocol: s.Protocol, Log: w.log.Named("group"),
		Plugins: rester.ConnectorPlugins, OwnPlugins: w.plugins.Infos(true),
	}, l)
}

// startError sorts what failed at the start: a wrong property is one of configuration,
// all else is outside of this process.
func startError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return nil //nolint:nilerr // told to stop meanwhile
	case isConfigError(err):
		return err
	}
	return &EnvironmentError{err}
}

// localAddress is what a worker without a configured host is reached by (Java:
// InetAddress.getLocalHost).
func localAddress() string {
	name, err := os.Hostname()
	if err != nil {
		return "127.0.0.1"
	}
	addresses, err := net.LookupHost(name) //nolint:noctx // the system's own name
	if err != nil || len(addresses) == 0 {
		return name
	}
	return addresses[0]
}

// adminLoggers is nil when /admin is turned off.
func (w *Worker) adminLoggers() rest.Loggers {
	if w.settings.REST.AdminOff {
		return nil
	}
	return loggers{w.levels}
}

// loggers shows the log levels to REST.
type loggers struct{ levels *logging.Levels }

// Set implements rest.Loggers.
func (l loggers) Set(namespace, level string) []string { return l.levels.Set(namespace, level) }

// Levels implements rest.Loggers.
func (l loggers) Levels() map[string]rest.LoggerLevel {
	all := map[string]rest.LoggerLevel{}
	for name, lv := range l.levels.All() {
		shown := rest.LoggerLevel{Level: lv.Name}
		if !lv.Modified.IsZero() {
			ms := lv.Modified.UnixMilli()
			shown.LastModified = &ms
		}
		all[name] = shown
	}
	return all
}
