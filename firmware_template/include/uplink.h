// Wi-Fi, the clock, and the TLS connection that the server has to prove itself on.
#pragma once
#include <Client.h>
#include <stddef.h>

void beginUplink();

// Call it often. True while Wi-Fi stands and the clock is right enough for certificates.
bool uplinkIsReady();

// Have TLS verify the server by the credential's root CA; then the client connects as any other.
Client &tlsClient();
void prepareTls();

// The TLS library's number for what went wrong, and its words in `text`.
int lastTlsError(char *text, size_t size);
