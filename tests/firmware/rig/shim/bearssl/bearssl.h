// The corner of BearSSL that carries ALPN: a list of names in the engine, read when a handshake begins.
#pragma once
#include <cstddef>

extern "C" {
typedef struct {
  const char **protocol_names;
  size_t protocol_names_num;
} br_ssl_engine_context;

typedef struct {
  br_ssl_engine_context eng;
} br_ssl_client_context;

static inline void br_ssl_engine_set_protocol_names(br_ssl_engine_context *engine, const char **names, size_t count) {
  engine->protocol_names = names;
  engine->protocol_names_num = count;
}

int br_ssl_client_reset(br_ssl_client_context *client, const char *server_name, int resume_session);
}
