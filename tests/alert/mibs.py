"""mibs.py DIRECTORY: writes there, as text, the IETF's modules that SQUALL-MIB imports and those that snmpwalk is to read our rows by.  Debian's main
carries no text of them (their licence forbids changes), but has them compiled for pysnmp: names, numbers, types, access, indexes and enumerations are taken
from there, descriptions and sizes are left out.  What lies under all of them - SNMPv2-SMI, -TC and -CONF - is written down here: names and numbers."""
import os, sys

MODULES = ["SNMP-FRAMEWORK-MIB", "INET-ADDRESS-MIB", "SNMPv2-MIB", "NETWORK-SERVICES-MIB", "MTA-MIB"]
ARCS = [("org", "iso 3"), ("dod", "org 6"), ("internet", "dod 1"), ("directory", "internet 1"), ("mgmt", "internet 2"), ("mib-2", "mgmt 1"),
        ("transmission", "mib-2 10"), ("experimental", "internet 3"), ("private", "internet 4"), ("enterprises", "private 1"), ("security", "internet 5"),
        ("snmpV2", "internet 6"), ("snmpDomains", "snmpV2 1"), ("snmpProxys", "snmpV2 2"), ("snmpModules", "snmpV2 3"), ("zeroDotZero", "0 0")]
TYPES = {"Integer32": "INTEGER (-2147483648..2147483647)", "IpAddress": "[APPLICATION 0] IMPLICIT OCTET STRING (SIZE (4))",
         "Counter32": "[APPLICATION 1] IMPLICIT INTEGER (0..4294967295)", "Gauge32": "[APPLICATION 2] IMPLICIT INTEGER (0..4294967295)",
         "Unsigned32": "[APPLICATION 2] IMPLICIT INTEGER (0..4294967295)", "TimeTicks": "[APPLICATION 3] IMPLICIT INTEGER (0..4294967295)",
         "Opaque": "[APPLICATION 4] IMPLICIT OCTET STRING", "Counter64": "[APPLICATION 6] IMPLICIT INTEGER (0..18446744073709551615)"}
CONVENTIONS = [("DisplayString", "255a", "OCTET STRING (SIZE (0..255))"), ("PhysAddress", "1x:", "OCTET STRING"),
               ("TruthValue", None, "INTEGER { true(1), false(2) }"), ("TestAndIncr", None, "INTEGER (0..2147483647)"),
               ("AutonomousType", None, "OBJECT IDENTIFIER"), ("TimeStamp", None, "TimeTicks"), ("TimeInterval", None, "INTEGER (0..2147483647)"),
               ("DateAndTime", "2d-1d-1d,1d:1d:1d.1d,1a1d:1d", "OCTET STRING (SIZE (8 | 11))")]
MACROS = {"SNMPv2-SMI": ["MODULE-IDENTITY", "OBJECT-IDENTITY", "OBJECT-TYPE", "NOTIFICATION-TYPE"], "SNMPv2-TC": ["TEXTUAL-CONVENTION"],
          "SNMPv2-CONF": ["OBJECT-GROUP", "NOTIFICATION-GROUP", "MODULE-COMPLIANCE", "AGENT-CAPABILITIES"]}
ACCESS = {"readonly": "read-only", "readwrite": "read-write", "readcreate": "read-create", "notifyonly": "accessible-for-notify",
          "accessiblefornotify": "accessible-for-notify", "noaccess": "not-accessible", "notaccessible": "not-accessible"}
SMI = set(TYPES) | {"Bits"}
BASE = {"OctetString": "OCTET STRING", "Integer": "Integer32", "ObjectIdentifier": "OBJECT IDENTIFIER", "Bits": "BITS"}


def macros(module):
    return ["%s MACRO ::= BEGIN\n    TYPE NOTATION ::= empty\n    VALUE NOTATION ::= value (VALUE OBJECT IDENTIFIER)\nEND" % m for m in MACROS[module]]


def convention(name, hint, syntax):
    return "%s ::= TEXTUAL-CONVENTION\n%s    STATUS current\n    DESCRIPTION \"\"\n    SYNTAX %s" % (name, '    DISPLAY-HINT "%s"\n' % hint if hint else "", syntax)


def under_all():
    smi = ["%s OBJECT IDENTIFIER ::= { %s }" % arc for arc in ARCS] + ["%s ::= %s" % t for t in TYPES.items()] + macros("SNMPv2-SMI")
    tc = ["IMPORTS TimeTicks FROM SNMPv2-SMI;"] + macros("SNMPv2-TC") + [convention(*c) for c in CONVENTIONS]
    return {"SNMPv2-SMI": smi, "SNMPv2-TC": tc, "SNMPv2-CONF": macros("SNMPv2-CONF")}


def syntax_of(kind, named=None):
    """The ASN.1 of a pysnmp type: its own name, or what stands under it, with its enumeration."""
    if named:
        return "%s { %s }" % ("BITS" if kind == "Bits" else "INTEGER", ", ".join("%s(%d)" % pair for pair in sorted(named.items(), key=lambda p: p[1])))
    return BASE.get(kind, kind)


class Module:
    def __init__(self, name, symbols, where):
        self.name, self.symbols, self.where, self.needs = name, symbols, where, {}
        self.names = {tuple(o.name): n for n, o in symbols.items() if hasattr(o, "name") and isinstance(o.name, tuple)}

    def need(self, symbol):
        module = "SNMPv2-SMI" if symbol in SMI or symbol in dict(ARCS) else "SNMPv2-TC" if symbol in [c[0] for c in CONVENTIONS] else self.where.get(symbol)
        if module and module != self.name and symbol not in BASE:
            self.needs.setdefault(module, set()).add(symbol)
        return symbol

    def number(self, oid):
        parent = self.names.get(oid[:-1])
        if parent:
            return "{ %s %d }" % (parent, oid[-1])
        for name, arc in (("mib-2", (1, 3, 6, 1, 2, 1)), ("snmpModules", (1, 3, 6, 1, 6, 3))):
            if oid[:len(arc)] == arc:
                return "{ %s %s }" % (self.need(name), " ".join(map(str, oid[len(arc):])))
        return "{ iso %s }" % " ".join(map(str, oid[1:]))

    def object(self, name, o, kind):
        oid = tuple(o.name)
        if kind == "MibTable":
            syntax, access = "SEQUENCE OF " + self.row(oid), "not-accessible"
        elif kind == "MibTableRow":
            syntax, access = self.row(oid[:-1]), "not-accessible"
        else:
            t = o.syntax
            syntax = syntax_of(self.need(type(t).__name__), dict(t.namedValues.items()) if getattr(t, "namedValues", None) and type(t).__name__ in SMI | set(BASE) else None)
            access = ACCESS[o.maxAccess.replace("-", "")]
        index = ""
        if kind == "MibTableRow":
            for _, module, column in o.indexNames:
                if module != self.name:
                    self.needs.setdefault(module, set()).add(column)
            index = "    INDEX { %s }\n" % ", ".join(("IMPLIED " if i[0] else "") + i[2] for i in o.indexNames)
        text = "%s OBJECT-TYPE\n    SYNTAX %s\n    MAX-ACCESS %s\n    STATUS current\n    DESCRIPTION \"\"\n%s    ::= %s" % (name, syntax, access, index, self.number(oid))
        if kind == "MibTableRow":
            columns = [(n, c) for n, c in self.symbols.items() if type(c).__name__ == "MibTableColumn" and tuple(c.name)[:-1] == oid]
            text += "\n%s ::= SEQUENCE { %s }" % (self.row(oid[:-1]), ", ".join("%s %s" % (n, syntax_of(type(c.syntax).__name__)) for n, c in columns))
        return text

    def row(self, table):
        entry = self.names[table + (1,)]
        return entry[0].upper() + entry[1:]

    def text(self):
        body = []
        for name, o in self.symbols.items():
            kind = type(o).__name__
            if isinstance(o, type):
                parents = [p.__name__ for p in o.__mro__]
                if "TextualConvention" in parents and name != "TextualConvention":
                    named = dict(o.namedValues.items()) if getattr(o, "namedValues", None) else None
                    under = next(p for p in parents if p in SMI | set(BASE))
                    body.append(convention(name, getattr(o, "displayHint", None) or None, syntax_of(self.need(under), named)))
            elif kind in ("MibIdentifier", "ModuleIdentity", "ObjectIdentity"):
                body.append("%s OBJECT IDENTIFIER ::= %s" % (name, self.number(tuple(o.name))))
            elif kind in ("MibScalar", "MibTable", "MibTableRow", "MibTableColumn"):
                body.append(self.object(name, o, kind))
            elif kind == "NotificationType":
                body.append("%s NOTIFICATION-TYPE\n    STATUS current\n    DESCRIPTION \"\"\n    ::= %s" % (name, self.number(tuple(o.name))))
        needs = {"SNMPv2-SMI": {"OBJECT-TYPE", "NOTIFICATION-TYPE"}, "SNMPv2-TC": {"TEXTUAL-CONVENTION"}}
        for module, symbols in self.needs.items():
            needs.setdefault(module, set()).update(symbols)
        return ["IMPORTS " + " ".join("%s FROM %s" % (", ".join(sorted(s)), m) for m, s in sorted(needs.items())) + ";"] + body


def write(directory):
    from pysnmp.smi import builder
    b = builder.MibBuilder()
    b.addMibSources(builder.ZipMibSource("pysnmp_mibs"))
    b.loadModules(*MODULES)
    modules = under_all()
    own = {m: {n: o for n, o in b.mibSymbols[m].items() if n and n != "PYSNMP_MODULE_ID"} for m in MODULES}
    where = {n: m for m in MODULES for n in own[m]}
    modules.update({m: Module(m, own[m], where).text() for m in MODULES})
    for name, body in modules.items():
        with open(os.path.join(directory, name + ".txt"), "w") as f:
            f.write("%s DEFINITIONS ::= BEGIN\n%s\nEND\n" % (name, "\n".join(body)))


if __name__ == "__main__":
    write(sys.argv[1])
