// In an object of its own, so that the linker's --wrap finds the call in WiFiClientSecure.cpp, as in the real core.
#if defined(ESP8266)
#include "bearssl/bearssl.h"

extern "C" int br_ssl_client_reset(br_ssl_client_context *, const char *, int) { return 1; }
#endif
