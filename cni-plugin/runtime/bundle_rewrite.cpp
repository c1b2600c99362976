// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "bundle.hpp"

namespace particle::runtime {
namespace {

Error wrong_shape(const std::string& key, const std::string& expected) {
  return Error::of(Errc::invalid_argument, "config.json: " + key + " is not " + expected,
                   "the OCI runtime specification wants it so");
}

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ",") + item;
  return text;
}

class Rewriter {
 public:
  Rewriter(const JsonText& config, const BundleChanges& changes)
      : config_(config), changes_(changes), edits_(config) {}

  Result<std::string> run_on_process() {
    if (auto done = change_one(config_.root()); !done) return fail(std::move(done.error()));
    return edits_.apply();
  }

  Result<std::string> run() {
    for (const auto step :
         {&Rewriter::move_to_namespace, &Rewriter::change_process, &Rewriter::change_mounts,
          &Rewriter::change_hooks, &Rewriter::change_seccomp}) {
      if (auto done = (this->*step)(); !done) return fail(std::move(done.error()));
    }
    return edits_.apply();
  }

 private:
  /// Where a member should be an object or array: the value, null when it is missing or JSON's null.
  Result<const JsonValue*> member(const JsonValue& object, const std::string& key,
                                  JsonValue::Kind kind) {
    const JsonValue* value = object.find(key);
    if (value == nullptr || is_null(*value)) return nullptr;
    if (value->kind != kind) {
      return fail(wrong_shape(key, kind == JsonValue::Kind::array ? "an array" : "an object"));
    }
    return value;
  }

  [[nodiscard]] bool is_null(const JsonValue& value) const {
    return config_.text().compare(value.begin, value.end - value.begin, "null") == 0;
  }

  Result<void> move_to_namespace() {
    if (!changes_.netns_path) return {};
    const std::string path = json_string(*changes_.netns_path);
    const std::string entry = R"({"type":"network","path":)" + path + "}";
    const JsonValue& root = config_.root();
    const auto linux_part = member(root, "linux", JsonValue::Kind::object);
    if (!linux_part) return fail(linux_part.error());
    if (*linux_part == nullptr) {
      edits_.set(root, "linux", R"({"namespaces":[)" + entry + "]}");
      return {};
    }
    const auto list = member(**linux_part, "namespaces", JsonValue::Kind::array);
    if (!list) return fail(list.error());
    if (*list == nullptr) {
      edits_.set(**linux_part, "namespaces", "[" + entry + "]");
      return {};
    }
    for (const JsonValue& item : (*list)->items) {
      if (config_.string(item, "type") != "network") continue;
      edits_.set(item, "path", path);
      return {};
    }
    edits_.append(**list, {entry});
    return {};
  }

  [[nodiscard]] bool is_replaced_variable(const JsonValue& item) const {
    const std::string text = config_.string(&item).value_or("");
    return std::any_of(
        changes_.environment.begin(), changes_.environment.end(),
        [&text](const auto& variable) { return text.starts_with(variable.first + "="); });
  }

  Result<void> change_process() {
    const auto process = member(config_.root(), "process", JsonValue::Kind::object);
    if (!process) return fail(process.error());
    if (*process == nullptr) return {};
    return change_one(**process);
  }

  Result<void> change_one(const JsonValue& process) {
    if (!changes_.environment.empty()) {
      if (auto done = set_environment(process); !done) return done;
    }
    return changes_.dropped_capabilities.empty() ? Result<void>{} : drop_capabilities(process);
  }

  [[nodiscard]] bool is_dropped(const JsonValue& capability) const {
    const std::string name = config_.string(&capability).value_or("");
    const std::vector<std::string>& dropped = changes_.dropped_capabilities;
    return std::find(dropped.begin(), dropped.end(), name) != dropped.end();
  }

  /// Out of every set, the bounding one too: no set-user-ID program gets them back.
  Result<void> drop_capabilities(const JsonValue& process) {
    const auto sets = member(process, "capabilities", JsonValue::Kind::object);
    if (!sets) return fail(sets.error());
    if (*sets == nullptr) return {};
    for (const std::string key : {"bounding", "effective", "inheritable", "permitted", "ambient"}) {
      const auto set = member(**sets, key, JsonValue::Kind::array);
      if (!set) return fail(set.error());
      if (*set == nullptr) continue;
      std::vector<bool> keep;
      for (const JsonValue& item : (*set)->items) keep.push_back(!is_dropped(item));
      if (std::find(keep.begin(), keep.end(), false) != keep.end()) edits_.rebuild(**set, keep, {});
    }
    return {};
  }

  Result<void> set_environment(const JsonValue& process) {
    std::vector<std::string> added;
    for (const auto& [name, value] : changes_.environment) {
      if (value) added.push_back(json_string(name + "=" + *value));
    }
    const auto env = member(process, "env", JsonValue::Kind::array);
    if (!env) return fail(env.error());
    if (*env == nullptr) {
      edits_.set(process, "env", "[" + joined(added) + "]");
      return {};
    }
    std::vector<bool> keep;
    for (const JsonValue& item : (*env)->items) keep.push_back(!is_replaced_variable(item));
    edits_.rebuild(**env, keep, added);
    return {};
  }

  Result<void> change_mounts() {
    if (!changes_.hosts_path && changes_.mounts.empty()) return {};
    const auto mounts = member(config_.root(), "mounts", JsonValue::Kind::array);
    if (!mounts) return fail(mounts.error());
    if (*mounts == nullptr) {
      if (!changes_.mounts.empty()) {
        edits_.set(config_.root(), "mounts", "[" + joined(changes_.mounts) + "]");
      }
      return {};
    }
    if (changes_.hosts_path) {
      for (const JsonValue& mount : (*mounts)->items) {
        if (config_.string(mount, "destination") != "/etc/hosts") continue;
        edits_.set(mount, "source", json_string(*changes_.hosts_path));
      }
    }
    if (!changes_.mounts.empty()) edits_.append(**mounts, changes_.mounts);
    return {};
  }

  /// docker's libnetwork-setkey is found in the hook's arguments, whatever dockerd's path is.
  [[nodiscard]] bool hands_namespace_to_docker(const JsonValue& hook) const {
    const JsonValue* words = hook.find("args");
    return changes_.netns_path && words != nullptr &&
           std::any_of(words->items.begin(), words->items.end(), [this](const JsonValue& word) {
             return config_.string(&word) == "libnetwork-setkey";
           });
  }

  Result<void> change_hooks() {
    const auto hooks = member(config_.root(), "hooks", JsonValue::Kind::object);
    if (!hooks) return fail(hooks.error());
    const std::vector<std::string>& added = changes_.create_runtime_hooks;
    if (*hooks == nullptr) {
      if (!added.empty()) {
        edits_.set(config_.root(), "hooks", R"({"createRuntime":[)" + joined(added) + "]}");
      }
      return {};
    }
    bool place_found = false;
    for (const std::string key : {"prestart", "createRuntime"}) {
      const auto list = member(**hooks, key, JsonValue::Kind::array);
      if (!list) return fail(list.error());
      if (*list == nullptr) continue;
      const bool takes_added = key == "createRuntime" && !added.empty();
      place_found = place_found || takes_added;
      std::vector<bool> keep;
      for (const JsonValue& hook : (*list)->items) keep.push_back(!hands_namespace_to_docker(hook));
      if (takes_added || std::find(keep.begin(), keep.end(), false) != keep.end()) {
        edits_.rebuild(**list, keep, takes_added ? added : std::vector<std::string>{});
      }
    }
    if (!added.empty() && !place_found) {
      edits_.set(**hooks, "createRuntime", "[" + joined(added) + "]");
    }
    return {};
  }

  Result<void> change_seccomp() {
    if (!changes_.seccomp) return {};
    const auto linux_part = member(config_.root(), "linux", JsonValue::Kind::object);
    if (!linux_part) return fail(linux_part.error());
    if (*linux_part == nullptr) return fail(wrong_shape("linux", "there"));
    edits_.set(**linux_part, "seccomp", *changes_.seccomp);
    return {};
  }

  const JsonText& config_;
  const BundleChanges& changes_;
  JsonEdits edits_;
};

}  // namespace

Result<std::string> rewrite(const JsonText& config, const BundleChanges& changes) {
  if (!config.root().is_object()) return fail(wrong_shape("the text", "an object"));
  return Rewriter(config, changes).run();
}

Result<std::string> rewrite_process(const JsonText& process, const BundleChanges& changes) {
  if (!process.root().is_object()) return fail(wrong_shape("the text", "an object"));
  return Rewriter(process, changes).run_on_process();
}

}  // namespace particle::runtime
