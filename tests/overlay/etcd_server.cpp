// SPDX-License-Identifier: Apache-2.0
#include "overlay/etcd_server.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include <nlohmann/json.hpp>

#include "runtime/components.hpp"
#include "support/skip.hpp"

namespace particle::test {
namespace {

void ok(const std::vector<std::string>& argv, const NetNs* netns = nullptr) {
  const CommandResult result = run_command(argv, netns);
  if (result.exit_code == 0) return;
  std::string line;
  for (const auto& word : argv) line += word + " ";
  throw std::runtime_error(line + ": " + result.err + result.out);
}

}  // namespace

bool need_etcd() {
  for (const char* program : {"etcd", "etcdctl"}) {
    if (find_component(program)) continue;
    skip_component(program, "packaging/components.sh did not unpack it, and it is not in PATH");
    return false;
  }
  return true;
}

bool etcd_can_run() {
  return need_namespaces() && need_etcd();
}

TestCertificates make_certificates(const std::string& directory) {
  std::filesystem::create_directories(directory);
  const auto file = [&](const std::string& name) { return directory + "/" + name; };
  const TestCertificates out{file("ca.pem"), file("server.pem"), file("server.key"),
                             file("client.pem"), file("client.key")};
  const std::vector<std::string> common{
      "openssl", "req", "-x509",    "-nodes",
      "-newkey", "ec",  "-pkeyopt", "ec_paramgen_curve:prime256v1",
      "-days",   "2"};
  const auto make = [&](const std::string& certificate, const std::string& key,
                        const std::vector<std::string>& more) {
    std::vector<std::string> argv = common;
    argv.insert(argv.end(), {"-out", certificate, "-keyout", key});
    argv.insert(argv.end(), more.begin(), more.end());
    ok(argv);
  };
  make(out.authority, file("ca.key"), {"-subj", "/CN=test authority"});
  const std::vector<std::string> issued{"-CA",     out.authority,
                                        "-CAkey",  file("ca.key"),
                                        "-addext", "basicConstraints=critical,CA:FALSE"};
  std::vector<std::string> server = issued;
  server.insert(server.end(), {"-subj", "/CN=etcd", "-addext",
                               std::string("subjectAltName=IP:") + EtcdServer::kAddress});
  make(out.server, out.server_key, server);
  std::vector<std::string> client = issued;
  // Without a common name: with one, etcd's gateway refuses a client when there are users.
  client.insert(client.end(), {"-subj", "/O=particle"});
  make(out.client, out.client_key, client);
  return out;
}

EtcdServer::EtcdServer(const NetNs& netns, std::string directory)
    : netns_(must(netns.duplicate())),
      directory_(std::move(directory)),
      data_(directory_ + "/data") {
  std::filesystem::create_directories(directory_);
  ok({"ip", "addr", "replace", std::string(kAddress) + "/24", "dev", "fabric"}, &netns_);
  ok({"ip", "link", "set", "lo", "up"}, &netns_);
}

std::string EtcdServer::url() const {
  return (tls_ ? "https://" : "http://") + std::string(kAddress) + ":2379";
}

void EtcdServer::use_tls(const TestCertificates& certificates) {
  tls_ = std::make_unique<TestCertificates>(certificates);
}

std::vector<std::string> EtcdServer::arguments() const {
  std::vector<std::string> out{component("etcd"), "--name=test", "--data-dir=" + data_,
                               "--listen-client-urls=" + url(), "--advertise-client-urls=" + url(),
                               "--listen-peer-urls=http://127.0.0.1:2380",
                               "--initial-advertise-peer-urls=http://127.0.0.1:2380",
                               "--initial-cluster=test=http://127.0.0.1:2380",
                               // It votes alone: no reason to wait a second for others.
                               "--heartbeat-interval=20", "--election-timeout=200", "--logger=zap",
                               "--log-outputs=" + directory_ + "/etcd.log"};
  if (tls_) {
    out.insert(out.end(), {"--cert-file=" + tls_->server, "--key-file=" + tls_->server_key,
                           "--trusted-ca-file=" + tls_->authority, "--client-cert-auth"});
  }
  return out;
}

void EtcdServer::start() {
  process_ = std::make_unique<Command>(arguments(), &netns_);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (try_ctl({"get", "nothing"}).exit_code != 0) {
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("etcd does not answer: " + read_text(directory_ + "/etcd.log"));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

void EtcdServer::kill() {
  if (!process_) return;
  process_->signal(SIGKILL);
  process_->finish();
  process_.reset();
}

CommandResult EtcdServer::try_ctl(const std::vector<std::string>& arguments) const {
  std::vector<std::string> argv{component("etcdctl"), "--endpoints=" + url(), "--dial-timeout=2s",
                                "--command-timeout=5s"};
  if (tls_) {
    argv.insert(argv.end(), {"--cacert=" + tls_->authority, "--cert=" + tls_->client,
                             "--key=" + tls_->client_key});
  }
  if (!user_.empty()) argv.push_back("--user=" + user_);
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_command(argv, &netns_);
}

std::string EtcdServer::ctl(const std::vector<std::string>& arguments) const {
  const CommandResult result = try_ctl(arguments);
  if (result.exit_code == 0) return result.out;
  throw std::runtime_error("etcdctl " + arguments.front() + ": " + result.err + result.out);
}

void EtcdServer::save_snapshot() const {
  std::filesystem::remove(directory_ + "/snapshot.db");
  ctl({"snapshot", "save", directory_ + "/snapshot.db"});
}

void EtcdServer::restore_snapshot() {
  kill();
  std::filesystem::remove_all(data_);
  ctl({"snapshot", "restore", directory_ + "/snapshot.db", "--name=test", "--data-dir=" + data_,
       "--initial-cluster=test=http://127.0.0.1:2380",
       "--initial-advertise-peer-urls=http://127.0.0.1:2380"});
  start();
}

void EtcdServer::forget_everything() const {
  std::filesystem::remove_all(data_);
}

void EtcdServer::compact() const {
  const auto status = nlohmann::json::parse(ctl({"endpoint", "status", "--write-out=json"}));
  const auto revision = status.at(0).at("Status").at("header").at("revision").get<long>();
  ctl({"compact", std::to_string(revision)});
}

void EtcdServer::cut_off(const std::string& address, bool cut) const {
  ok({"ip", "route", cut ? "add" : "del", "blackhole", address + "/32"}, &netns_);
}

}  // namespace particle::test
