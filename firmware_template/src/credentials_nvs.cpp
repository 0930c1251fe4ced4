// One program for a fleet: the credential lies in the partition `creds` and is written apart from the program.
#ifdef IOTAUTH_CREDENTIALS_NVS
#include <Arduino.h>
#include <Preferences.h>

#include "credentials.h"

struct Texts {
  String wifiSsid, wifiPassword, host, alpn, clientId, username, password, topic, subscribe, rootCa;
};

static Texts texts;
static Credentials fromPartition;

static bool load() {
  Preferences partition;
  if (!partition.begin("iotauth", true, "creds")) return false;
  texts.wifiSsid = partition.getString("wifi_ssid");
  texts.wifiPassword = partition.getString("wifi_pass");
  texts.host = partition.getString("host");
  texts.alpn = partition.getString("alpn");
  texts.clientId = partition.getString("client_id");
  texts.username = partition.getString("username");
  texts.password = partition.getString("password");
  texts.topic = partition.getString("topic");
  texts.subscribe = partition.getString("subscribe");
  texts.rootCa = partition.getString("root_ca");
  fromPartition.port = partition.getUShort("port", 443);
  fromPartition.retain = partition.getUChar("retain");
  fromPartition.will = partition.getUChar("will");
  fromPartition.emulator = partition.getUChar("emulator");
  partition.end();
  return texts.host.length() && texts.clientId.length() && texts.username.length() && texts.rootCa.length();
}

static bool isLoaded() {
  static const bool loaded = load();
  return loaded;
}

const Credentials &credentials() {
  if (isLoaded() && !fromPartition.host) {
    fromPartition.wifiSsid = texts.wifiSsid.c_str();
    fromPartition.wifiPassword = texts.wifiPassword.c_str();
    fromPartition.host = texts.host.c_str();
    fromPartition.alpn = texts.alpn.c_str();
    fromPartition.clientId = texts.clientId.c_str();
    fromPartition.username = texts.username.c_str();
    fromPartition.password = texts.password.c_str();
    fromPartition.topic = texts.topic.c_str();
    fromPartition.subscribe = texts.subscribe.c_str();
    fromPartition.rootCa = texts.rootCa.c_str();
  }
  return fromPartition;
}

const char *missingCredentials() {
  return isLoaded() ? nullptr : "the partition `creds` holds none; run `iotauth flash --mode nvs`";
}
#endif
