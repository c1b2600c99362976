// SPDX-License-Identifier: Apache-2.0
/// A real etcd in a namespace, and etcdctl to look at it and to hurt it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/netns_fixture.hpp"

namespace particle::test {

/// Are etcd and etcdctl there? Otherwise the test is marked as skipped.
bool need_etcd();
/// The same, and namespaces for its nodes.
bool etcd_can_run();

/// PEM files below a directory: an authority, a server's certificate for 192.0.2.200, a client's.
struct TestCertificates {
  std::string authority, server, server_key, client, client_key;
};
/// Made with openssl(1). Throws.
TestCertificates make_certificates(const std::string& directory);

class EtcdServer {
 public:
  static constexpr const char* kAddress = "192.0.2.200";

  /// Gives the switch's bridge kAddress; start() is the caller's. Data are below `directory`.
  EtcdServer(const NetNs& netns, std::string directory);

  /// Serves from here on, and answers when this returns.
  void start();
  void kill();
  [[nodiscard]] bool running() const { return process_ != nullptr; }
  void use_tls(const TestCertificates& certificates);
  /// As this user from now on: "root:secret".
  void log_in(std::string user) { user_ = std::move(user); }

  [[nodiscard]] std::string url() const;
  /// What etcdctl prints. Throws when it fails.
  std::string ctl(const std::vector<std::string>& arguments) const;
  [[nodiscard]] CommandResult try_ctl(const std::vector<std::string>& arguments) const;

  /// A copy of all that there is, and back to it: etcd is stopped, restored and started.
  void save_snapshot() const;
  void restore_snapshot();
  /// When it is not running.
  void forget_everything() const;
  /// Forgets all revisions but the latest.
  void compact() const;

  /// Packets between etcd and this address vanish.
  void cut_off(const std::string& address, bool cut) const;

 private:
  [[nodiscard]] std::vector<std::string> arguments() const;

  NetNs netns_;
  std::string directory_;
  std::string data_;
  std::string user_;
  std::unique_ptr<TestCertificates> tls_;
  std::unique_ptr<Command> process_;
};

}  // namespace particle::test
