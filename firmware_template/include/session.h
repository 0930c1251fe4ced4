// The MQTT session: made, kept, and made again.
#pragma once

void beginSession();

// Call it often, while the uplink is ready.
void keepSession();

// Publish on the credential's topic. False when there is no connection or the message does not fit.
bool publish(const char *message);
