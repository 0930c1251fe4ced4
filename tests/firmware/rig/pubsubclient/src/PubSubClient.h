// A double of PubSubClient 2.8: the calls a sketch makes, its limits and its states, with code of its own.
//
// As the real one does: the buffer holds 256 bytes unless told; a CONNECT that does not fit closes the connection and
// leaves state() as it was; a server that closes before CONNACK looks like a timeout (-4), because only available()
// is asked. The one difference: the double sees the end at once instead of waiting for the socket timeout.
#pragma once
#include <Arduino.h>
#include <Client.h>

#include <functional>
#include <string>

#define MQTT_CONNECTION_TIMEOUT -4
#define MQTT_CONNECTION_LOST -3
#define MQTT_CONNECT_FAILED -2
#define MQTT_DISCONNECTED -1
#define MQTT_CONNECTED 0
#define MQTT_CONNECT_BAD_PROTOCOL 1
#define MQTT_CONNECT_BAD_CLIENT_ID 2
#define MQTT_CONNECT_UNAVAILABLE 3
#define MQTT_CONNECT_BAD_CREDENTIALS 4
#define MQTT_CONNECT_UNAUTHORIZED 5

class PubSubClient {
 public:
  typedef std::function<void(char *, uint8_t *, unsigned int)> Callback;

  PubSubClient() {}
  explicit PubSubClient(Client &client) : client_(&client) {}
  PubSubClient &setClient(Client &client);
  PubSubClient &setServer(const char *host, uint16_t port);
  PubSubClient &setCallback(Callback callback);
  PubSubClient &setKeepAlive(uint16_t seconds);
  PubSubClient &setSocketTimeout(uint16_t seconds);
  bool setBufferSize(uint16_t bytes);
  uint16_t getBufferSize() { return bufferBytes_; }

  bool connect(const char *id, const char *user, const char *password);
  bool connect(const char *id, const char *user, const char *password, const char *willTopic, uint8_t willQos,
               bool willRetain, const char *willMessage, bool cleanSession = true);
  bool publish(const char *topic, const char *message, bool retained = false);
  bool publish(const char *topic, const uint8_t *payload, unsigned int size, bool retained = false);
  bool subscribe(const char *topicFilter, uint8_t qos = 0);
  bool loop();
  bool connected();
  void disconnect();
  int state() { return state_; }

 private:
  bool send(uint8_t first, const std::string &body);
  bool receive(uint8_t &first, std::string &body);
  int nextByte();
  void deliver(uint8_t first, const std::string &body);

  Client *client_ = nullptr;
  const char *host_ = nullptr;  // a pointer, as in the real one
  uint16_t port_ = 0;
  uint16_t keepAlive_ = 15, socketTimeout_ = 15;  // seconds
  uint16_t bufferBytes_ = 256;
  uint16_t packetId_ = 0;
  int state_ = MQTT_DISCONNECTED;
  unsigned long sentAt_ = 0;
  Callback callback_;
};
