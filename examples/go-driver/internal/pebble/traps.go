package pebble

import (
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	typev1 "delphis.dev/go/delphis/type/v1"
)

// The Pebble's MIB: what a trap announces, and what its bindings are.
const (
	raised      = "1.3.6.1.4.1.99999.20.1.1"
	cleared     = "1.3.6.1.4.1.99999.20.1.2"
	changed     = "1.3.6.1.4.1.99999.20.1.3" // something is different: ask the array
	bindings    = "1.3.6.1.4.1.99999.20.2."
	bindSeq     = "1"
	bindCode    = "2"
	bindLevel   = "3"
	bindText    = "4"
	bindsObject = "5"
)

// ParseTrap makes an alert of a trap. It asks nobody.
func (Driver) ParseTrap(trap *typev1.Trap) (alerts []*typev1.Alert, incomplete bool, err error) {
	switch trap.TrapOid {
	case changed:
		return nil, true, nil
	case raised, cleared:
	default:
		return nil, false, nil // another vendor's, or a newer firmware's
	}
	found := &alert{}
	for _, binding := range trap.Varbinds {
		name, own := strings.CutPrefix(binding.Oid, bindings)
		if !own {
			continue
		}
		switch strings.TrimSuffix(name, ".0") {
		case bindSeq:
			found.Seq = words(binding)
		case bindCode:
			found.Code = words(binding)
		case bindLevel:
			found.Level = int(binding.GetInteger())
		case bindText:
			found.Text = words(binding)
		case bindsObject:
			found.Object = words(binding)
		}
	}
	if found.Code == "" || found.Object == "" {
		return nil, true, nil
	}
	made := found.resource()
	if trap.TrapOid == cleared {
		made.Cleared, made.Category = proto.Bool(true), typev1.AlertCategory_ALERT_CATEGORY_RECOVERY.Enum()
	}
	made.OccurTime = trap.ReceivedAt
	return []*typev1.Alert{made}, false, nil
}

// words is the text of a binding, if it is one.
func words(binding *typev1.VarBind) string {
	raw := binding.GetOctets()
	if !utf8.Valid(raw) || strings.ContainsFunc(string(raw), func(letter rune) bool { return letter < ' ' }) {
		return ""
	}
	return string(raw)
}
