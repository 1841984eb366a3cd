package worker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/kafkastore"
)

// sourceSettings are the client settings of one source task. All of them are read, and
// refused by the override policy, before the task has its goroutine.
type sourceSettings struct {
	producer map[string]string
	admin    map[string]string // nil: not needed
	// Of the task's own store of offsets; topic is "" when it uses the worker's.
	topic          string
	offsetConsumer map[string]string
	offsetProducer map[string]string // nil: the task's producer
	shared         bool              // topic is that of the worker
}

// sourceSettings chooses which store a task uses (Java: offsetStoreForRegularSourceTask and
// offsetStoreForExactlyOnceSourceTask): with exactly-once always one of its own, because
// the worker's cannot write into its transactions.
func (w *Worker) sourceSettings(id connect.TaskID, s *settings.Source, props map[string]string, log *zap.Logger) (c sourceSettings, err error) {
	exactlyOnce := w.exactlyOnce()
	if exactlyOnce {
		var warnings []string
		c.producer, warnings, err = w.Settings.TransactionalProducer(id, props)
		for _, text := range warnings {
			log.Warn(text)
		}
	} else {
		c.producer, err = w.Settings.SourceProducer(id, props)
	}
	if err != nil {
		return c, err
	}
	if w.Settings.Mode == settings.Distributed {
		if c.topic = s.OffsetsTopic; c.topic == "" && exactlyOnce {
			c.topic = w.Settings.OffsetTopic.Name
		}
	}
	if c.topic != "" {
		c.shared = c.topic == w.Settings.OffsetTopic.Name &&
			sameServers(strings.Split(c.producer["bootstrap.servers"], ","), w.Settings.BootstrapServers)
		if c.offsetConsumer, err = w.Settings.OffsetsConsumer(id, props); err != nil {
			return c, err
		}
		if !exactlyOnce {
			c.offsetProducer = c.producer
		}
	}
	if c.topic != "" || len(s.TopicGroups) > 0 {
		c.admin, err = w.Settings.ConnectorAdmin(id, props)
	}
	return c, err
}

// connectSource makes the clients of a source task, in its goroutine. What was made before
// a failure is closed.
func (w *Worker) connectSource(ctx context.Context, c sourceSettings, log *zap.Logger) (_ *sourceClients, err error) {
	clients := &sourceClients{offsets: w.Offsets, topic: c.topic}
	p, err := kafka.NewProducer(ctx, c.producer, log.Named("producer"))
	if err != nil {
		return nil, err
	}
	clients.producer = p
	var admin *sourceAdmin
	if c.admin != nil {
		admin = &sourceAdmin{props: c.admin, log: log.Named("admin")}
		clients.admin = admin
	}
	var own storage.OffsetStore
	if c.topic != "" {
		client, err := admin.client(ctx)
		if err != nil {
			closeSource(p, admin, nil, true, log)
			return nil, err
		}
		own = w.ownStore(c, p, client, log.Named("offsets"))
		clients.offsets, clients.start = own, own.Start
	}
	clients.close = func(now bool) { closeSource(p, admin, own, now, log) }
	return clients, nil
}

// sourceAdmin connects when it is first asked: that Kafka does not answer is nothing but a
// reason to ask again, as with the producer.
type sourceAdmin struct {
	props map[string]string
	log   *zap.Logger

	mu     sync.Mutex
	made   *kafka.Client
	closed bool
}

func (a *sourceAdmin) client(ctx context.Context) (*kafka.Client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, kafka.ErrClosed
	}
	if a.made == nil {
		c, err := kafka.NewClient(ctx, a.props, a.log)
		if err != nil {
			return nil, err
		}
		a.made = c
	}
	return a.made, nil
}

func (a *sourceAdmin) Partitions(ctx context.Context, topic string) ([]int32, error) {
	c, err := a.client(ctx)
	if err != nil {
		return nil, err
	}
	return c.Partitions(ctx, topic)
}

func (a *sourceAdmin) CreateTopic(ctx context.Context, spec kafka.TopicSpec) (bool, error) {
	c, err := a.client(ctx)
	if err != nil {
		return false, err
	}
	return c.CreateTopic(ctx, spec)
}

func (a *sourceAdmin) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	if a.made == nil {
		return nil
	}
	return a.made.Close()
}

// ownStore makes the store of a task whose offsets are in c.topic.
func (w *Worker) ownStore(c sourceSettings, p *kafka.Producer, admin *kafka.Client, log *zap.Logger) storage.OffsetStore {
	topic := kafkastore.Topic(w.Settings.OffsetTopic)
	topic.Name, topic.Property = c.topic, "offsets.storage.topic"
	o := kafkastore.OffsetOptions{Topic: topic, Producer: c.offsetProducer, Consumer: c.offsetConsumer, Admin: admin, Log: log}
	if c.offsetProducer == nil {
		o.Send = p.Send // into the open transaction
	}
	if c.shared {
		return kafkastore.NewOffsetStore(o)
	}
	return kafkastore.NewConnectorOffsetStore(kafkastore.NewOffsetStore(o), w.Offsets, log)
}

// sourceCloseTimeout bounds how long a task's store may take to end.
const sourceCloseTimeout = 30 * time.Second

// closeSource closes the producer first: nothing is written any more then. It is bounded
// by the producer's request.timeout.ms.
func closeSource(p *kafka.Producer, admin *sourceAdmin, own storage.OffsetStore, now bool, log *zap.Logger) {
	var errs []error
	timeout := sourceCloseTimeout
	if now {
		p.CloseNow()
		timeout = 0
	} else {
		errs = append(errs, p.Close())
	}
	if own != nil {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		errs = append(errs, own.Stop(ctx))
	}
	if admin != nil {
		errs = append(errs, admin.close())
	}
	if err := errors.Join(errs...); err != nil {
		log.Warn("could not close the clients of the task", zap.Error(err))
	}
}

// exactlyOnce reports whether source tasks run with exactly-once support.
func (w *Worker) exactlyOnce() bool {
	return w.Settings.Mode == settings.Distributed && w.Settings.ExactlyOnceEnabled()
}

// connectorOffsets implements connect.OffsetReader for a connector instance. A store of
// its own is opened at the first read only: most connectors leave offsets to their tasks.
type connectorOffsets struct {
	ctx  context.Context //nolint:containedctx // the life of the instance
	open func(ctx context.Context) (*openedStore, error)
	name string

	mu     sync.Mutex
	closed bool
	store  *openedStore
}

func (w *Worker) connectorOffsets(ctx context.Context, name string, props map[string]string, c connect.Connector) *connectorOffsets {
	access := &offsetAccess{w: w, name: name, kind: plugin.KindSource, connector: c, props: props}
	return &connectorOffsets{ctx: ctx, name: name, open: func(ctx context.Context) (*openedStore, error) { return access.openStore(ctx, nil) }}
}

// Offset implements connect.OffsetReader.
func (o *connectorOffsets) Offset(ctx context.Context, partition *data.Map) (*data.Map, error) {
	offsets, err := o.Offsets(ctx, []*data.Map{partition})
	if err != nil {
		return nil, err
	}
	return offsets[0], nil
}

// Offsets implements connect.OffsetReader.
func (o *connectorOffsets) Offsets(ctx context.Context, partitions []*data.Map) ([]*data.Map, error) {
	store, err := o.opened(ctx)
	if err != nil {
		return nil, &connect.Error{Msg: "Failed to fetch offsets.", Err: err}
	}
	r := &offsetReader{life: o.ctx, store: store, connector: o.name}
	return r.Offsets(ctx, partitions)
}

func (o *connectorOffsets) opened(ctx context.Context) (storage.OffsetStore, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.ctx.Err() != nil {
		return nil, errReaderClosed
	}
	if o.store == nil {
		store, err := o.open(ctx)
		if err != nil {
			return nil, err
		}
		o.store = store
	}
	return o.store, nil
}

// close is called when the instance has ended.
func (o *connectorOffsets) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if o.store != nil {
		o.store.close()
		o.store = nil
	}
}
