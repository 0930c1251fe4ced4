// The ESP8266 core's TLS class cannot offer ALPN; BearSSL below it can.
// platformio.ini links with --wrap=br_ssl_client_reset, so this runs just before each handshake.
#if defined(ESP8266)
#include <bearssl/bearssl.h>

#include "credentials.h"

extern "C" int __real_br_ssl_client_reset(br_ssl_client_context *context, const char *name, int resume);

extern "C" int __wrap_br_ssl_client_reset(br_ssl_client_context *context, const char *name, int resume) {
  static const char *protocols[] = {credentials().alpn};
  if (*protocols[0]) br_ssl_engine_set_protocol_names(&context->eng, protocols, 1);
  return __real_br_ssl_client_reset(context, name, resume);
}
#endif
