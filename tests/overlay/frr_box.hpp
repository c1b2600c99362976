// SPDX-License-Identifier: Apache-2.0
/// FRR's zebra and bgpd for one node, out of the unpacked components, with directories of their own.
#pragma once

#include <memory>
#include <string>

#include <particle/netns.hpp>

#include "support/netns_fixture.hpp"

namespace particle::test {

/// Is FRR there, and may it be run? Otherwise the test is marked as skipped.
bool need_frr();

class FrrBox {
 public:
  /// Starts both daemons on `node` with this configuration. `directory` is made; it must be short: UNIX
  /// sockets are in it.
  FrrBox(const NetNs& node, const std::string& directory, const std::string& configuration);

  void stop_bgpd() { bgpd_.reset(); }
  void start_bgpd();
  void restart_zebra();
  /// As FRR's own script stops them, and so `systemctl stop frr`: bgpd takes leave of its neighbours, and
  /// what the daemons entered in the kernel goes with them.
  void stop_in_good_order();
  void start();
  /// Both at once, without a word to the neighbours.
  void kill();
  [[nodiscard]] std::string vtysh() const;  ///< a script that finds the libraries
  [[nodiscard]] const std::string& sockets() const { return directory_; }
  [[nodiscard]] std::string show(const std::string& command) const;

 private:
  [[nodiscard]] std::unique_ptr<Command> start_daemon(const std::string& daemon) const;

  const NetNs& node_;
  std::string directory_;
  std::unique_ptr<Command> zebra_;
  std::unique_ptr<Command> bgpd_;
};

}  // namespace particle::test
