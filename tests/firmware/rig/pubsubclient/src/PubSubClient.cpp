#include "PubSubClient.h"

static const size_t LONGEST_HEADER = 5;

static std::string text(const char *value) {
  const size_t size = strlen(value);
  return std::string{(char)(size >> 8), (char)size} + value;
}

PubSubClient &PubSubClient::setClient(Client &client) {
  client_ = &client;
  return *this;
}

PubSubClient &PubSubClient::setServer(const char *host, uint16_t port) {
  host_ = host;
  port_ = port;
  return *this;
}

PubSubClient &PubSubClient::setCallback(Callback callback) {
  callback_ = callback;
  return *this;
}

PubSubClient &PubSubClient::setKeepAlive(uint16_t seconds) {
  keepAlive_ = seconds;
  return *this;
}

PubSubClient &PubSubClient::setSocketTimeout(uint16_t seconds) {
  socketTimeout_ = seconds;
  return *this;
}

bool PubSubClient::setBufferSize(uint16_t bytes) {
  if (bytes) bufferBytes_ = bytes;
  return bytes != 0;
}

bool PubSubClient::connect(const char *id, const char *user, const char *password) {
  return connect(id, user, password, nullptr, 0, false, nullptr);
}

bool PubSubClient::connect(const char *id, const char *user, const char *password, const char *willTopic,
                           uint8_t willQos, bool willRetain, const char *willMessage, bool cleanSession) {
  if (connected()) return true;
  if (!client_->connected() && client_->connect(host_, port_) != 1) {
    state_ = MQTT_CONNECT_FAILED;
    return false;
  }
  int flags = cleanSession ? 2 : 0;
  if (willTopic) flags |= 4 | willQos << 3 | (willRetain ? 0x20 : 0);
  if (user) flags |= 0x80;
  if (user && password) flags |= 0x40;
  std::string body = text("MQTT") + std::string{4, (char)flags, (char)(keepAlive_ >> 8), (char)keepAlive_};
  const char *texts[] = {id, willTopic, willTopic ? willMessage : nullptr, user, user ? password : nullptr};
  for (const char *each : texts) {
    if (!each) continue;
    if (LONGEST_HEADER + body.size() + 2 + strlen(each) > bufferBytes_) {
      client_->stop();  // and not a word: state() stays what it was
      return false;
    }
    body += text(each);
  }
  send(0x10, body);
  const unsigned long asked = millis();
  while (!client_->available()) {
    if (!client_->connected() || millis() - asked >= socketTimeout_ * 1000UL) {
      state_ = MQTT_CONNECTION_TIMEOUT;
      client_->stop();
      return false;
    }
  }
  uint8_t first;
  std::string answer;
  if (receive(first, answer) && answer.size() == 2) {
    state_ = (uint8_t)answer[1];
    if (state_ == MQTT_CONNECTED) return true;
  }
  client_->stop();
  return false;
}

bool PubSubClient::publish(const char *topic, const char *message, bool retained) {
  return publish(topic, (const uint8_t *)message, strlen(message), retained);
}

bool PubSubClient::publish(const char *topic, const uint8_t *payload, unsigned int size, bool retained) {
  if (!connected() || LONGEST_HEADER + 2 + strlen(topic) + size > bufferBytes_) return false;
  return send(0x30 | (retained ? 1 : 0), text(topic) + std::string((const char *)payload, size));
}

bool PubSubClient::subscribe(const char *topicFilter, uint8_t qos) {
  if (!connected() || LONGEST_HEADER + 4 + strlen(topicFilter) > bufferBytes_) return false;
  packetId_++;
  return send(0x82, std::string{(char)(packetId_ >> 8), (char)packetId_} + text(topicFilter) + (char)qos);
}

bool PubSubClient::loop() {
  if (!connected()) return false;
  if (millis() - sentAt_ > keepAlive_ * 1000UL) send(0xC0, "");
  while (client_->available()) {
    uint8_t first;
    std::string body;
    if (!receive(first, body)) {
      client_->stop();
      return false;
    }
    if ((first & 0xF0) == 0x30) deliver(first, body);
  }
  return connected();
}

void PubSubClient::deliver(uint8_t first, const std::string &body) {
  if (!callback_ || body.size() + LONGEST_HEADER > bufferBytes_) return;  // too long: ignored, as the real one does
  const size_t size = (uint8_t)body[0] << 8 | (uint8_t)body[1];
  const bool hasId = first & 0x06;
  std::string topic = body.substr(2, size), payload = body.substr(2 + size + (hasId ? 2 : 0));
  callback_(&topic[0], (uint8_t *)&payload[0], payload.size());
  if (hasId) send(0x40, body.substr(2 + size, 2));
}

bool PubSubClient::connected() {
  if (client_->connected()) return state_ == MQTT_CONNECTED;
  if (state_ == MQTT_CONNECTED) {
    state_ = MQTT_CONNECTION_LOST;
    client_->stop();
  }
  return false;
}

void PubSubClient::disconnect() {
  send(0xE0, "");
  client_->stop();
  state_ = MQTT_DISCONNECTED;
}

bool PubSubClient::send(uint8_t first, const std::string &body) {
  std::string packet(1, (char)first);
  size_t size = body.size();
  do {
    packet += (char)((size & 127) | (size > 127 ? 128 : 0));
    size >>= 7;
  } while (size);
  packet += body;
  sentAt_ = millis();
  return client_->write((const uint8_t *)packet.data(), packet.size()) == packet.size();
}

int PubSubClient::nextByte() {
  const unsigned long asked = millis();
  while (!client_->available())
    if (!client_->connected() || millis() - asked >= socketTimeout_ * 1000UL) return -1;
  return client_->read();
}

bool PubSubClient::receive(uint8_t &first, std::string &body) {
  int byte = nextByte();
  if (byte < 0) return false;
  first = (uint8_t)byte;
  size_t size = 0, shift = 0;
  do {
    if ((byte = nextByte()) < 0) return false;
    size |= (size_t)(byte & 127) << shift;
    shift += 7;
  } while (byte & 128);
  for (body.clear(); body.size() < size; body += (char)byte)
    if ((byte = nextByte()) < 0) return false;
  return true;
}
