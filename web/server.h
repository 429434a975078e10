/* The room's own state, and one request on its way through it.  Private to web/. */
#ifndef SQUALL_WEB_SERVER_H
#define SQUALL_WEB_SERVER_H

#include "web/auth.h"
#include "web/board.h"
#include "web/events.h"
#include "web/graph.h"
#include "web/http.h"
#include "web/trend.h"

struct web {
    struct web_settings settings; /* texts are the caller's */
    struct web_desk desk;
    char state_directory[4096], own_name[256];
    struct board *board;
    struct events *events;
    struct auth auth;
    struct trend *trend; /* NULL: the past is not kept */
    struct words *words;
    struct graph_cache *graphs;
    struct MHD_Daemon *daemon;
    char *certificate, *key; /* PEM text */
};

struct request {
    struct web *web;
    struct MHD_Connection *connection;
    char method[8]; /* GET, HEAD or POST */
    char body[TEXT_BODY_MOST];
    size_t body_size;
    bool body_too_long;
    struct past *past; /* what it waits for, or has got; NULL: nothing */
};

#endif
