package sasl

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	krbconfig "github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/krberror"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
	"go.uber.org/zap"
)

// KerberosOptions say how to log in with GSSAPI: with a ticket cache, a keytab, or the first of
// them that works.
type KerberosOptions struct {
	Config      string // path of krb5.conf
	Service     string // the brokers' service name, mostly kafka
	Principal   string // name[/instance][@REALM]; "" takes the ticket cache's
	Keytab      string // path, "" = none
	TicketCache string // path, "" = none

	RenewFactor, RenewJitter float64       // sasl.kerberos.ticket.renew.*
	MinBeforeRelogin         time.Duration // sasl.kerberos.min.time.before.relogin
}

// Kerberos is the mechanism GSSAPI with Kerberos 5. It holds a ticket granting ticket and the
// tickets for the brokers it was used for. When a share of its life is over the next connection
// logs in anew, from files read anew: a keytab may be replaced and a ticket cache renewed while
// the worker runs. A login that fails leaves the old ticket in use until it expires.
type Kerberos struct {
	o   KerberosOptions
	log *zap.Logger

	turn    chan struct{} // held by who talks to the KDC; guards the fields below
	login   *krbLogin     // nil: none yet
	renewAt time.Time
}

// krbLogin is what a login has brought.
type krbLogin struct {
	config      *krbconfig.Config
	credentials *credentials.Credentials
	tgt         krbTicket
	services    map[string]krbTicket // by service principal
}

type krbTicket struct {
	ticket  messages.Ticket
	key     types.EncryptionKey
	expires time.Time
}

func (t krbTicket) valid(now time.Time) bool { return now.Before(t.expires) }

// NewKerberos returns the mechanism; the first connection logs in at the KDC.
func NewKerberos(o KerberosOptions, log *zap.Logger) *Kerberos {
	return &Kerberos{o: o, log: log, turn: make(chan struct{}, 1)}
}

// Name implements Mechanism.
func (*Kerberos) Name() string { return "GSSAPI" }

// Principal implements Mechanism: by the brokers' default rule the first part of the name.
func (k *Kerberos) Principal() string {
	name, _, _ := strings.Cut(k.o.Principal, "@")
	if name, _, _ = strings.Cut(name, "/"); name != "" {
		return "User:" + name
	}
	return ""
}

// Close implements Mechanism. A question to the KDC that is under way ends by its own time-out of
// at most some seconds.
func (*Kerberos) Close() {}

// Start implements Mechanism.
func (k *Kerberos) Start(ctx context.Context, host string) (Exchange, error) {
	type result struct {
		exchange Exchange
		err      error
	}
	// gokrb5 knows no context: who does not want to wait any more goes, and the answer is kept
	// for the next. Each attempt ends by its own time-outs, of 5 s per KDC and protocol.
	done := make(chan result, 1)
	select {
	case k.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	go func() {
		defer func() { <-k.turn }()
		var r result
		// gokrb5 panics on files that end too early, as a ticket cache does while kinit writes it.
		defer func() {
			if p := recover(); p != nil {
				r = result{err: fmt.Errorf("Kerberos: a keytab, ticket cache or answer of the KDC is damaged: %v", p)}
			}
			done <- r
		}()
		r.exchange, r.err = k.start(host)
	}()
	select {
	case r := <-done:
		return r.exchange, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// start makes sure of a login and of a ticket for the broker. The caller has the turn.
func (k *Kerberos) start(host string) (Exchange, error) {
	now := time.Now()
	if k.login == nil || !k.login.tgt.valid(now) || !now.Before(k.renewAt) {
		if err := k.relogin(now); err != nil {
			return nil, err
		}
	}
	spn := k.o.Service + "/" + serviceHost(host)
	ticket, ok := k.login.services[spn]
	if !ok || !ticket.valid(now.Add(time.Minute)) {
		var err error
		if ticket, err = k.login.serviceTicket(spn); err != nil {
			k.renewAt = now // the KDC may have forgotten the login
			return nil, kdcError("no ticket for the service "+spn+" (sasl.kerberos.service.name, and the broker's host name as the client sees it)", err)
		}
		k.login.services[spn] = ticket
	}
	return newGSSExchange(k.login.credentials, ticket)
}

// serviceHost is the host name of a broker's principal.
func serviceHost(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// relogin replaces the login, or keeps the old one while it is valid.
func (k *Kerberos) relogin(now time.Time) error {
	fresh, err := k.o.logIn(now)
	if err != nil && k.login != nil && k.login.tgt.valid(now) {
		k.log.Warn("the Kerberos login could not be repeated; the present one serves on",
			zap.Time("expires", k.login.tgt.expires), zap.Error(err))
		k.renewAt = now.Add(k.o.MinBeforeRelogin)
		return nil
	}
	if err != nil {
		return err
	}
	share := k.o.RenewFactor + k.o.RenewJitter*rand.Float64()
	k.renewAt = now.Add(max(time.Duration(float64(fresh.tgt.expires.Sub(now))*share), k.o.MinBeforeRelogin))
	k.login = fresh
	k.log.Debug("logged in at the KDC", zap.String("principal", fresh.credentials.CName().PrincipalNameString()+"@"+fresh.credentials.Domain()),
		zap.Time("expires", fresh.tgt.expires), zap.Time("repeated after", k.renewAt))
	return nil
}

// logIn reads all files and gets a ticket granting ticket: out of the cache if it is valid, else
// with the keytab, as Krb5LoginModule does.
func (o *KerberosOptions) logIn(now time.Time) (*krbLogin, error) {
	config, err := krbconfig.Load(o.Config)
	var unsupported krbconfig.UnsupportedDirective
	if err != nil && !errors.As(err, &unsupported) {
		return nil, &Refusal{Msg: "read the Kerberos settings " + o.Config + " (KRB5_CONFIG, or -Djava.security.krb5.conf=… in KAFKA_OPTS)", Err: err}
	}
	var cacheErr error
	if o.TicketCache != "" {
		var login *krbLogin
		if login, cacheErr = o.fromCache(config, now); cacheErr == nil || o.Keytab == "" {
			return login, cacheErr
		}
	}
	login, err := o.fromKeytab(config)
	if err != nil && cacheErr != nil {
		return nil, fmt.Errorf("%w (and before: %v)", err, cacheErr) //nolint:errorlint // whether it is final, the keytab decides
	}
	return login, err
}

// fromCache takes the ticket that kinit has left.
func (o *KerberosOptions) fromCache(config *krbconfig.Config, now time.Time) (*krbLogin, error) {
	cache, err := credentials.LoadCCache(o.TicketCache)
	if err != nil {
		return nil, refuse("read the ticket cache %s: %v. Run kinit, or use a keytab", o.TicketCache, err)
	}
	if want, _ := splitPrincipal(o.Principal, cache.GetClientRealm()); o.Principal != "" && want != cache.GetClientPrincipalName().PrincipalNameString() {
		return nil, refuse("the ticket cache %s belongs to %s, and the JAAS option principal is %s", o.TicketCache,
			cache.GetClientPrincipalName().PrincipalNameString(), o.Principal)
	}
	entry, ok := cache.GetEntry(types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", cache.GetClientRealm()}})
	if !ok {
		return nil, refuse("the ticket cache %s holds no ticket granting ticket. Run kinit", o.TicketCache)
	}
	login := &krbLogin{config: config, credentials: cache.GetClientCredentials(), services: map[string]krbTicket{},
		tgt: krbTicket{key: entry.Key, expires: entry.EndTime}}
	if err := login.tgt.ticket.Unmarshal(entry.Ticket); err != nil {
		return nil, refuse("the ticket cache %s is damaged: %v", o.TicketCache, err)
	}
	if !login.tgt.valid(now) {
		return nil, refuse("the ticket of the cache %s expired at %s. Run kinit", o.TicketCache, entry.EndTime.UTC().Format(time.RFC3339))
	}
	return login, nil
}

// fromKeytab asks the KDC.
func (o *KerberosOptions) fromKeytab(config *krbconfig.Config) (*krbLogin, error) {
	if _, err := os.Stat(o.Keytab); err != nil {
		return nil, &Refusal{Msg: "the keytab of the JAAS option keyTab", Err: err}
	}
	keys, err := keytab.Load(o.Keytab)
	if err != nil {
		return nil, refuse("the keytab %s is damaged: %v", o.Keytab, err)
	}
	name, realm := splitPrincipal(o.Principal, config.LibDefaults.DefaultRealm)
	if realm == "" {
		return nil, refuse("the principal %s has no realm. Add @REALM to the JAAS option principal, or default_realm to %s", o.Principal, o.Config)
	}
	if !hasKey(keys, name, realm) {
		return nil, refuse("the keytab %s has no key of %s@%s (JAAS option principal)", o.Keytab, name, realm)
	}
	c := client.NewWithKeytab(name, realm, keys, config, client.DisablePAFXFAST(true))
	defer c.Destroy() // a referral leaves a goroutine behind it
	req, err := messages.NewASReqForTGT(realm, config, c.Credentials.CName())
	if err != nil {
		return nil, kdcError("make a Kerberos request for "+name+"@"+realm, err)
	}
	answer, err := c.ASExchange(realm, req, 0)
	if err != nil {
		return nil, kdcError("log in as "+name+"@"+realm+" with the keytab "+o.Keytab, err)
	}
	return &krbLogin{config: config, credentials: credentials.New(name, realm), services: map[string]krbTicket{},
		tgt: krbTicket{ticket: answer.Ticket, key: answer.DecryptedEncPart.Key, expires: answer.DecryptedEncPart.EndTime}}, nil
}

func hasKey(keys *keytab.Keytab, name, realm string) bool {
	for i := range keys.Entries {
		p := &keys.Entries[i].Principal
		if p.Realm == realm && strings.Join(p.Components, "/") == name {
			return true
		}
	}
	return false
}

// splitPrincipal divides name@REALM.
func splitPrincipal(principal, defaultRealm string) (name, realm string) {
	name, realm, ok := strings.Cut(principal, "@")
	if !ok {
		realm = defaultRealm
	}
	return name, realm
}

// serviceTicket asks the KDC for a ticket, over the realm of the service if krb5.conf says that
// it is another than ours.
func (l *krbLogin) serviceTicket(spn string) (krbTicket, error) {
	// The client is for this question only: it may not share what Destroy wipes.
	c := client.NewWithKeytab(l.credentials.CName().PrincipalNameString(), l.credentials.Domain(), keytab.New(), l.config)
	defer c.Destroy()
	ours := l.credentials.Domain()
	tgt, realm := l.tgt, ours
	_, host, _ := strings.Cut(spn, "/")
	if other := l.config.ResolveRealm(host); other != "" && other != ours {
		cross, err := exchange(c, types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", other}}, ours, tgt)
		if err != nil {
			return krbTicket{}, err
		}
		tgt, realm = cross, other
	}
	return exchange(c, types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, spn), realm, tgt)
}

func exchange(c *client.Client, name types.PrincipalName, realm string, tgt krbTicket) (krbTicket, error) {
	_, answer, err := c.TGSREQGenerateAndExchange(name, realm, tgt.ticket, tgt.key, false)
	if err != nil {
		return krbTicket{}, err
	}
	return krbTicket{ticket: answer.Ticket, key: answer.DecryptedEncPart.Key, expires: answer.DecryptedEncPart.EndTime}, nil
}

// kdcError tells a KDC that does not answer, which may pass, from one that refuses.
func kdcError(what string, err error) error {
	var krb krberror.Krberror
	if errors.As(err, &krb) && krb.RootCause == krberror.NetworkingError {
		return fmt.Errorf("%s: the KDC does not answer: %w", what, err)
	}
	if _, answer, ok := strings.Cut(err.Error(), "KRB Error: "); ok { // gokrb5 tells its way there before
		return refuse("%s: the KDC answered %s", what, answer)
	}
	return &Refusal{Msg: what, Err: err}
}
