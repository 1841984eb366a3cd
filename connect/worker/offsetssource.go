package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/kafkastore"
	"github.com/penstock-io/penstock/storage/records"
)

// closeTimeout bounds what has to be ended although there may be no time left.
const closeTimeout = 10 * time.Second

func (m *offsetAccess) sourceOffsets(ctx context.Context) (offsets []connect.SourceOffset, err error) {
	store, err := m.openStore(ctx, nil)
	if err == nil {
		defer store.close()
		offsets, err = m.listSource(ctx, store)
	}
	if err != nil {
		return nil, m.errorf(err, "Failed to retrieve offsets for source connector %s", m.name)
	}
	return offsets, nil
}

func (m *offsetAccess) listSource(ctx context.Context, store storage.OffsetStore) ([]connect.SourceOffset, error) {
	partitions, err := store.Partitions(ctx, m.name)
	if err != nil {
		return nil, err
	}
	keys := make([][]byte, len(partitions))
	for i, p := range partitions {
		if keys[i], err = records.OffsetKey(m.name, p); err != nil {
			return nil, err
		}
	}
	values, err := store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	offsets := make([]connect.SourceOffset, len(partitions))
	for i, p := range partitions {
		offsets[i].Partition = p
		// Written with its keys in another order than the JVM's map has, an offset is not
		// found: it is shown as null, and no task finds it either.
		if offsets[i].Offset, err = records.DecodeOffsetValue(values[string(keys[i])]); err != nil {
			return nil, fmt.Errorf("the offset of source partition %s: %w", p, err)
		}
	}
	return offsets, nil
}

// modifySource writes offsets of a source connector; a reset writes a tombstone for every
// source partition that has one.
func (m *offsetAccess) modifySource(ctx context.Context, offsets []connect.SourceOffset, reset bool) (told bool, err error) {
	var producer *kafka.Producer
	if producer, err = m.offsetProducer(ctx); err != nil {
		return false, m.modifyError(err)
	}
	var send func(ctx context.Context, records ...kafka.ProducerRecord) error
	if producer != nil {
		defer m.closeProducer(ctx, producer)
		send = producer.Send
	}
	store, err := m.openStore(ctx, send)
	if err != nil {
		if ctx.Err() != nil {
			err = m.errorf(err, "Timed out while trying to read to the end of the offsets topic prior to modifying offsets for source connector %s", m.name)
			return false, err
		}
		return false, m.modifyError(err)
	}
	defer store.close()
	commit := store.Put
	if m.w.Settings.ExactlyOnceEnabled() {
		commit = func(ctx context.Context, entries ...storage.OffsetEntry) error {
			return inTransaction(ctx, producer, func() error { return store.Put(ctx, entries...) })
		}
	}
	return m.writeSource(ctx, store, offsets, reset, commit)
}

// writeSource asks the connector and writes with commit.
func (m *offsetAccess) writeSource(ctx context.Context, store storage.OffsetStore, offsets []connect.SourceOffset, reset bool,
	commit func(ctx context.Context, entries ...storage.OffsetEntry) error) (told bool, err error) {
	if reset {
		partitions, err := store.Partitions(ctx, m.name)
		if err != nil {
			return false, m.modifyError(err)
		}
		for _, p := range partitions {
			offsets = append(offsets, connect.SourceOffset{Partition: p})
		}
	}
	entries, offsets, err := offsetEntries(m.name, offsets)
	if err != nil {
		return false, err
	}
	if alterer, ok := m.connector.(connect.SourceOffsetAlterer); ok {
		told = true
		if err := m.tell(ctx, func() error { return alterer.AlterOffsets(maps.Clone(m.props), offsets) }); err != nil {
			return told, err
		}
	}
	if len(entries) == 0 {
		m.w.Log.Info("No offsets found for the source connector: they were reset before, or it has not committed any yet", zap.String("connector", m.name))
		return told, nil
	}
	if err := commit(ctx, entries...); err != nil {
		if ctx.Err() != nil {
			return told, m.errorf(err, "Timed out while attempting to modify offsets for source connector %s", m.name)
		}
		return told, m.modifyError(err)
	}
	return told, nil
}

func (m *offsetAccess) modifyError(err error) error {
	return m.errorf(err, "Failed to modify offsets for source connector %s", m.name)
}

// offsetEntries makes the records of offsets, and the offsets that the connector is told
// of: of a source partition that comes twice the last one counts.
func offsetEntries(connector string, offsets []connect.SourceOffset) ([]storage.OffsetEntry, []connect.SourceOffset, error) {
	at := map[string]int{}
	var entries []storage.OffsetEntry
	var known []connect.SourceOffset
	for _, o := range offsets {
		key, err := records.OffsetKey(connector, o.Partition)
		if err != nil {
			return nil, nil, err
		}
		value, err := records.OffsetValue(o.Offset)
		if err != nil {
			return nil, nil, err
		}
		o.Partition, o.Offset = copyOf(o.Partition), copyOf(o.Offset)
		if i, twice := at[string(key)]; twice {
			entries[i].Value, known[i] = value, o
			continue
		}
		at[string(key)] = len(entries)
		entries, known = append(entries, storage.OffsetEntry{Key: key, Value: value}), append(known, o)
	}
	return entries, known, nil
}

// copyOf copies a map of plain values: the connector may keep and change it.
func copyOf(m *data.Map) *data.Map {
	if m == nil {
		return nil
	}
	return m.Clone()
}

// inTransaction writes with a producer that shuts out all others of its id first.
func inTransaction(ctx context.Context, p *kafka.Producer, write func() error) error {
	if err := p.InitTransactions(ctx); err != nil {
		return err
	}
	if err := p.BeginTransaction(); err != nil {
		return err
	}
	if err := write(); err != nil {
		// The transaction may have to be aborted although there is no time left.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		return errors.Join(err, p.AbortTransaction(ctx))
	}
	return p.CommitTransaction(ctx)
}

// openedStore is the offset store of one connector, apart from those of its tasks; close
// ends it.
type openedStore struct {
	storage.OffsetStore
	close func()
}

// openStore opens the store that the connector's tasks use (internal topics: worker's
// store, connector's, or both). With send nil nothing can be written to a store of the
// connector's own. When the topic does not exist it is created.
func (m *offsetAccess) openStore(ctx context.Context, send func(ctx context.Context, records ...kafka.ProducerRecord) error) (*openedStore, error) {
	w := m.w
	topic, err := m.offsetsTopic()
	if err != nil {
		return nil, err
	}
	if topic == "" {
		if w.Offsets == nil {
			return nil, errors.New("this worker has no store for the offsets of source connectors")
		}
		return &openedStore{w.Offsets, func() {}}, nil
	}
	if send == nil {
		send = func(context.Context, ...kafka.ProducerRecord) error {
			return errors.New("the store was opened for reading only")
		}
	}
	id := connect.TaskID{Connector: m.name, Task: -1}
	consumer, err := w.Settings.OffsetsConsumer(id, m.props)
	if err != nil {
		return nil, err
	}
	adminProps, err := w.Settings.ConnectorAdmin(id, m.props)
	if err != nil {
		return nil, err
	}
	shared, err := m.sharesTopic(topic)
	if err != nil {
		return nil, err
	}
	log := w.Log.Named("offsets").With(zap.String("connector", m.name))
	admin, err := kafka.NewClient(ctx, adminProps, log)
	if err != nil {
		return nil, err
	}
	spec := kafkastore.Topic(w.Settings.OffsetTopic)
	spec.Name, spec.Property = topic, "offsets.storage.topic"
	var store storage.OffsetStore = kafkastore.NewOffsetStore(kafkastore.OffsetOptions{Topic: spec, Consumer: consumer, Admin: admin, Log: log, Send: send})
	if !shared {
		store = kafkastore.NewConnectorOffsetStore(store, w.Offsets, log)
	}
	opened := &openedStore{store, func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if err := store.Stop(stop); err != nil {
			log.Warn("could not stop the connector's offset store", zap.Error(err))
		}
		w.closeClient(admin, m.name)
	}}
	if err := store.Start(ctx); err != nil {
		opened.close()
		return nil, err
	}
	return opened, nil
}

// offsetsTopic returns the topic of the connector's own store, "" if it has none.
func (m *offsetAccess) offsetsTopic() (string, error) {
	if m.w.Settings.Mode == settings.Standalone {
		return "", nil
	}
	s, err := settings.ParseSource(m.w.Settings, m.props, nil)
	if err != nil {
		return "", err
	}
	if s.OffsetsTopic == "" && m.w.Settings.ExactlyOnceEnabled() {
		return m.w.Settings.OffsetTopic.Name, nil
	}
	return s.OffsetsTopic, nil
}

// sharesTopic guesses whether a topic is the worker's own offset topic, by its name and
// the cluster's addresses (Java: Worker.sameOffsetTopicAsWorker).
func (m *offsetAccess) sharesTopic(topic string) (bool, error) {
	producer, err := m.w.Settings.SourceProducer(connect.TaskID{Connector: m.name}, m.props)
	if err != nil {
		return false, err
	}
	return topic == m.w.Settings.OffsetTopic.Name && sameServers(strings.Split(producer["bootstrap.servers"], ","), m.w.Settings.BootstrapServers), nil
}

func sameServers(a, b []string) bool {
	clean := func(list []string) []string {
		list = slices.Clone(list)
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	return slices.Equal(clean(a), clean(b))
}

// offsetProducer returns what offsets are written with, nil if that is the worker's own
// store. With exactly-once support it is the producer of task 0: a zombie of it cannot
// commit after this.
func (m *offsetAccess) offsetProducer(ctx context.Context) (*kafka.Producer, error) {
	topic, err := m.offsetsTopic()
	if err != nil || topic == "" {
		return nil, err
	}
	var props map[string]string
	if m.w.Settings.ExactlyOnceEnabled() {
		var warnings []string
		props, warnings, err = m.w.Settings.TransactionalProducer(connect.TaskID{Connector: m.name}, m.props)
		for _, text := range warnings {
			m.w.Log.Warn(text, zap.String("connector", m.name))
		}
	} else {
		props, err = m.w.Settings.OffsetsProducer(m.name, m.props)
	}
	if err != nil {
		return nil, err
	}
	return kafka.NewProducer(ctx, props, m.w.Log.Named("producer").With(zap.String("connector", m.name)))
}

// closeProducer does not wait for what nobody waits for any more.
func (m *offsetAccess) closeProducer(ctx context.Context, p *kafka.Producer) {
	if ctx.Err() != nil {
		p.CloseNow()
		return
	}
	m.w.closeClient(p, m.name)
}
