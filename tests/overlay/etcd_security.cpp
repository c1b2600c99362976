// SPDX-License-Identifier: Apache-2.0
// Who may read and write: TLS both ways, users and roles, clusters that share a server.
#include <doctest/doctest.h>

#include <fstream>

#include "netns/pool_scene.hpp"
#include "overlay/etcd_cluster.hpp"

namespace particle::test {
namespace {

/// A user `particle` with the password `secret` who may touch what is below /particle/ alone.
void add_users(EtcdServer& etcd) {
  etcd.ctl({"user", "add", "root:master"});
  etcd.ctl({"user", "grant-role", "root", "root"});
  etcd.ctl({"user", "add", "particle:secret"});
  etcd.ctl({"role", "add", "particle"});
  etcd.ctl({"role", "grant-permission", "particle", "--prefix=true", "readwrite", "/particle/"});
  etcd.ctl({"user", "grant-role", "particle", "particle"});
  etcd.ctl({"auth", "enable"});
  etcd.log_in("root:master");
}

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
}

CommandResult once(const EtcdCluster& cluster, const std::vector<std::string>& more) {
  std::vector<std::string> argv{std::string(PARTICLE_TEST_BIN_DIR) + "/particle-agent",
                                "agent",
                                "--run-dir",
                                cluster.directory(),
                                "--overlay",
                                "etcd",
                                "--once",
                                "--wait",
                                "2",
                                "--node",
                                "n1"};
  const auto options = cluster.etcd_options();
  argv.insert(argv.end(), options.begin(), options.end());
  argv.insert(argv.end(), more.begin(), more.end());
  return run_command(argv, &cluster.netns(0));
}

}  // namespace

TEST_CASE(
    "etcd: with TLS, a user and a role, nodes find each other, and a new password is taken up") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(2);
  const TestCertificates files = make_certificates(cluster.directory() + "/tls");
  cluster.etcd().use_tls(files);
  cluster.etcd().start();
  add_users(cluster.etcd());
  const std::string password = cluster.directory() + "/password";
  write(password, "secret\n");
  const std::vector<std::string> options{
      "--etcd-ca",      files.authority, "--etcd-cert", files.client,           "--etcd-key",
      files.client_key, "--etcd-user",   "particle",    "--etcd-password-file", password};
  for (const std::size_t i : {0U, 1U}) cluster.start_agent(i, options);
  const PoolInfo a = cluster.make_pool(0);
  const PoolInfo b = cluster.make_pool(1);
  CHECK(becomes([&] { return cluster.meet(0, a, 1, b); }));

  // Another password, first in etcd, then in the file: nothing is restarted.
  EtcdServer& etcd = cluster.etcd();
  etcd.ctl({"user", "delete", "particle"});
  etcd.ctl({"user", "add", "particle:fresh"});
  etcd.ctl({"user", "grant-role", "particle", "particle"});
  const PoolInfo late = cluster.make_pool(1, "late", {"10.1.77.0/24"});
  CHECK(cluster.agent(1).wait_for_text("authentication failed"));
  CHECK(cluster.meet(0, a, 1, b));
  write(password, "fresh\n");
  CHECK(becomes([&] { return cluster.meet(0, a, 1, late); }));
  CHECK(cluster.meet(0, a, 1, b));
}

TEST_CASE("etcd: a wrong password and a certificate that nobody trusts are named") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(1);
  const TestCertificates files = make_certificates(cluster.directory() + "/tls");
  cluster.etcd().use_tls(files);
  cluster.etcd().start();
  add_users(cluster.etcd());
  const std::string password = cluster.directory() + "/password";
  write(password, "wrong\n");
  const std::vector<std::string> client{"--etcd-cert", files.client, "--etcd-key",
                                        files.client_key};
  std::vector<std::string> options = client;
  options.insert(options.end(), {"--etcd-ca", files.authority, "--etcd-user", "particle",
                                 "--etcd-password-file", password});
  CommandResult result = once(cluster, options);
  INFO(result.out << result.err);
  CHECK(result.exit_code != 0);
  CHECK((result.out + result.err).find("authentication failed") != std::string::npos);
  // Without --etcd-ca the system's authorities are asked, which have never heard of it.
  result = once(cluster, client);
  INFO(result.out << result.err);
  CHECK(result.exit_code != 0);
  CHECK((result.out + result.err).find("certificate") != std::string::npos);
  result = once(cluster, {"--etcd-ca", cluster.directory() + "/no-such-file", "--etcd-key", "/x"});
  CHECK(result.exit_code == 2);
  CHECK(result.err.find("--etcd-ca") != std::string::npos);
  CHECK(result.err.find("--etcd-cert: is missing") != std::string::npos);
}

TEST_CASE("etcd: clusters of different names share a server without seeing each other") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(3);
  cluster.etcd().start();
  cluster.start_agent(0, {"--etcd-cluster", "red"});
  cluster.start_agent(1, {"--etcd-cluster", "blue"});
  cluster.start_agent(2, {"--etcd-cluster", "red"});
  const PoolInfo a = cluster.make_pool(0);
  const PoolInfo b = cluster.make_pool(1);
  const PoolInfo c = cluster.make_pool(2);
  CHECK(becomes([&] { return cluster.meet(0, a, 2, c); }));
  CHECK(must(cluster.node(0).list_peers("acme")).size() == 1);
  CHECK(must(cluster.node(1).list_peers("acme")).empty());
  CHECK_FALSE(cluster.reaches(0, a, 1, b, std::chrono::milliseconds(250)));
}

}  // namespace particle::test
