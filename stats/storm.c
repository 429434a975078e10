/* In: the enums of storm.h.  Out: the words that people, JSON and the history use for them. */
#include "stats/storm.h"

static const char *const kind_text[] = {
#define X(name, text, doc) [KIND_##name] = text,
    STORM_KINDS(X)
#undef X
};
static const char *const kind_doc[] = {
#define X(name, text, doc) [KIND_##name] = doc,
    STORM_KINDS(X)
#undef X
};
static const char *const severity_text[] = {
#define X(name, text) [SEVERITY_##name] = text,
    STORM_SEVERITIES(X)
#undef X
};
static const char *const state_text[] = {
#define X(name, text) [STATE_##name] = text,
    STORM_STATES(X)
#undef X
};
static const char *const role_text[] = {
#define X(name, text) [ROLE_##name] = text,
    STORM_ROLES(X)
#undef X
};
static const char *const privacy_text[] = {
#define X(name, text, doc) [PRIVACY_##name] = text,
    STORM_PRIVACY(X)
#undef X
};

const char *storm_kind_text(enum storm_kind k)
{
    return kind_text[k];
}

const char *storm_kind_doc(enum storm_kind k)
{
    return kind_doc[k];
}

const char *storm_severity_text(enum storm_severity s)
{
    return severity_text[s];
}

const char *storm_state_text(enum storm_state s)
{
    return state_text[s];
}

const char *storm_role_text(enum storm_role r)
{
    return role_text[r];
}

const char *storm_privacy_text(enum storm_privacy p)
{
    return privacy_text[p];
}

bool storm_severity_parse(struct span text, enum storm_severity *s)
{
    for (size_t i = 0; i < sizeof severity_text / sizeof severity_text[0]; i++)
        if (span_equal_nocase(text, span_text(severity_text[i]))) {
            *s = (enum storm_severity)i;
            return true;
        }
    return false;
}
