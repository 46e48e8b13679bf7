package host

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"sort"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	typev1 "delphis.dev/go/delphis/type/v1"
)

const mask = "***"

// A shorter secret would blank half of the log.
const shortest = 4

// Secrets are the secrets that the process holds, each as long as an owner of it lives. Logs and errors are scrubbed of them.
type Secrets struct {
	lock      sync.RWMutex
	owners    map[any][]string
	spellings []string // longest first
}

// NewSecrets holds none.
func NewSecrets() *Secrets { return &Secrets{owners: map[any][]string{}} }

// Add masks what is secret in a message until the owner is removed. plain names the extra attributes that are no secrets.
func (secrets *Secrets) Add(owner any, message proto.Message, plain map[string]bool) {
	found := secretsOf(message.ProtoReflect(), plain)
	secrets.AddText(owner, found...)
}

// AddText masks texts, such as the token of a login.
func (secrets *Secrets) AddText(owner any, texts ...string) {
	secrets.lock.Lock()
	defer secrets.lock.Unlock()
	secrets.owners[owner] = append(secrets.owners[owner], texts...)
	secrets.spell()
}

// Remove forgets what the owner held.
func (secrets *Secrets) Remove(owner any) {
	secrets.lock.Lock()
	defer secrets.lock.Unlock()
	delete(secrets.owners, owner)
	secrets.spell()
}

func (secrets *Secrets) spell() {
	all := map[string]bool{}
	for _, texts := range secrets.owners {
		for _, text := range texts {
			if len(text) < shortest {
				continue
			}
			quoted, _ := json.Marshal(text)
			raw := []byte(text)
			for _, spelling := range []string{
				text, strings.Trim(string(quoted), `"`), url.QueryEscape(text), url.PathEscape(text),
				base64.StdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw),
			} {
				all[spelling] = true
			}
		}
	}
	secrets.spellings = secrets.spellings[:0:0]
	for spelling := range all {
		secrets.spellings = append(secrets.spellings, spelling)
	}
	sort.Slice(secrets.spellings, func(i, j int) bool { return len(secrets.spellings[i]) > len(secrets.spellings[j]) })
}

// Scrub is the text without the secrets.
func (secrets *Secrets) Scrub(text string) string {
	secrets.lock.RLock()
	defer secrets.lock.RUnlock()
	for _, spelling := range secrets.spellings {
		text = strings.ReplaceAll(text, spelling, mask)
	}
	return text
}

// Writer scrubs what is written to another.
func (secrets *Secrets) Writer(to io.Writer) io.Writer { return scrubbing{secrets, to} }

type scrubbing struct {
	secrets *Secrets
	to      io.Writer
}

func (writer scrubbing) Write(raw []byte) (int, error) {
	_, err := io.WriteString(writer.to, writer.secrets.Scrub(string(raw)))
	return len(raw), err
}

// secretsOf finds what the contract marks by its option `secret`.
func secretsOf(message protoreflect.Message, plain map[string]bool) []string {
	var found []string
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		secret := proto.GetExtension(field.Options(), typev1.E_Secret).(bool)
		switch {
		case field.IsMap() && secret:
			value.Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
				if !plain[key.String()] {
					found = append(found, value.String())
				}
				return true
			})
		case field.IsMap() || field.IsList():
		case field.Message() != nil: // Target.access_info is secret as a whole, yet not every text in it is one
			found = append(found, secretsOf(value.Message(), plain)...)
		case secret:
			found = append(found, value.String())
		}
		return true
	})
	return found
}
