// SPDX-License-Identifier: MIT
#ifndef DIGITS_ONEDNN_MLP_HPP
#define DIGITS_ONEDNN_MLP_HPP

#include "digits_data.hpp"

#include <algorithm>
#include <dnnl.hpp>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

// The OpenMP runtime that oneDNN brings along, if it is that build of oneDNN.
extern "C" void omp_set_num_threads(int) __attribute__((weak));

namespace digits {

/// Keeps oneDNN to the calling thread: its own threads would compete with the clients for the
/// cores. The setting belongs to the thread; oneDNN reads it when a primitive is made and when it
/// is run.
inline void use_one_thread() {
  if (omp_set_num_threads != nullptr) omp_set_num_threads(1);
}

inline std::string onednn_version() {
  const dnnl_version_t& version = *dnnl_version();
  return "version " + std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
         std::to_string(version.patch);
}

/// The network as oneDNN memory, shared by all threads and read only.
struct OneDnnWeights {
  struct LayerMemory {
    dnnl::memory weights;
    dnnl::memory bias;
  };

  explicit OneDnnWeights(const Network& network) : engine(dnnl::engine::kind::cpu, 0) {
    using dnnl::memory;
    for (const Layer& layer : network) {
      const auto inputs = static_cast<memory::dim>(layer.inputs);
      const auto outputs = static_cast<memory::dim>(layer.outputs);
      // Our rows are inputs: what oneDNN calls "io", the order of its logical dimensions swapped.
      LayerMemory loaded{
          memory({{outputs, inputs}, memory::data_type::f32, memory::format_tag::io}, engine),
          memory({{outputs}, memory::data_type::f32, memory::format_tag::x}, engine)};
      std::copy(layer.weights.begin(), layer.weights.end(),
                static_cast<float*>(loaded.weights.get_data_handle()));
      std::copy(layer.bias.begin(), layer.bias.end(),
                static_cast<float*>(loaded.bias.get_data_handle()));
      layers.push_back(std::move(loaded));
    }
  }

  dnnl::engine engine;
  std::vector<LayerMemory> layers;
};

/// The network on oneDNN, one object a thread.
///
/// oneDNN specialises on the shape, and making a primitive costs more than running it. So a batch
/// is padded to the next power of two, and the primitives of all of these are made up front.
class OneDnnMlp {
 public:
  OneDnnMlp(std::shared_ptr<const OneDnnWeights> weights, std::size_t max_batch)
      : weights_(std::move(weights)), stream_(weights_->engine) {
    use_one_thread();
    for (std::size_t size = 1; size < max_batch; size *= 2) plans_.push_back(make_plan(size));
    plans_.push_back(make_plan(max_batch));
  }

  /// Batches above max_batch are computed in pieces.
  void predict(std::span<const Image> images, std::span<Prediction> predictions) {
    use_one_thread();
    while (!images.empty()) {
      const std::size_t count = std::min(images.size(), plans_.back().size);
      run(plan_for(count), images.first(count), predictions.first(count));
      images = images.subspan(count);
      predictions = predictions.subspan(count);
    }
  }

 private:
  struct Step {
    dnnl::primitive primitive;
    std::unordered_map<int, dnnl::memory> arguments;
  };

  /// All there is to one batch size.
  struct Plan {
    std::size_t size;
    dnnl::memory input;
    std::vector<Step> steps;
    dnnl::memory output;
  };

  Plan make_plan(std::size_t size) {
    using dnnl::memory;
    const auto rows = static_cast<memory::dim>(size);
    const auto plain = [&](std::size_t columns) {
      return memory::desc({rows, static_cast<memory::dim>(columns)}, memory::data_type::f32,
                          memory::format_tag::nc);
    };
    const dnnl::engine& engine = weights_->engine;
    Plan plan{size, memory(plain(kPixels), engine), {}, {}};
    plan.output = plan.input;
    for (const OneDnnWeights::LayerMemory& layer : weights_->layers) {
      const memory::desc given = layer.weights.get_desc();
      const std::size_t outputs = static_cast<std::size_t>(given.dims()[0]);
      dnnl::primitive_attr attributes;
      if (&layer != &weights_->layers.back()) {
        dnnl::post_ops relu;
        relu.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
        attributes.set_post_ops(relu);
      }
      // "any" lets oneDNN choose the packing of the weights, its counterpart of our panels.
      const memory::desc any(given.dims(), memory::data_type::f32, memory::format_tag::any);
      const dnnl::inner_product_forward::primitive_desc description(
          {dnnl::prop_kind::forward_inference, plan.output.get_desc(), any, layer.bias.get_desc(),
           plain(outputs)},
          attributes, engine);
      const memory to(plain(outputs), engine);
      plan.steps.push_back({dnnl::inner_product_forward(description),
                            {{DNNL_ARG_SRC, plan.output},
                             {DNNL_ARG_WEIGHTS, packed(layer.weights, description.weights_desc())},
                             {DNNL_ARG_BIAS, layer.bias},
                             {DNNL_ARG_DST, to}}});
      plan.output = to;
    }
    return plan;
  }

  /// `weights` in the order `wanted`, made once for all batch sizes that want the same.
  dnnl::memory packed(const dnnl::memory& weights, const dnnl::memory::desc& wanted) {
    if (weights.get_desc() == wanted) return weights;
    for (const auto& [source, repacked] : packed_) {
      if (source == weights && repacked.get_desc() == wanted) return repacked;
    }
    dnnl::memory source = weights;
    dnnl::memory repacked(wanted, weights_->engine);
    dnnl::reorder(source, repacked).execute(stream_, source, repacked);
    stream_.wait();
    packed_.emplace_back(source, repacked);
    return repacked;
  }

  Plan& plan_for(std::size_t count) {
    return *std::find_if(plans_.begin(), plans_.end(),
                         [&](const Plan& plan) { return plan.size >= count; });
  }

  void run(Plan& plan, std::span<const Image> images, std::span<Prediction> predictions) {
    // Rows above the batch keep what an earlier batch left there; nobody reads their answers.
    float* input = static_cast<float*>(plan.input.get_data_handle());
    for (const Image& image : images) input = std::copy(image.begin(), image.end(), input);
    for (Step& step : plan.steps) step.primitive.execute(stream_, step.arguments);
    stream_.wait();
    const float* logits = static_cast<const float*>(plan.output.get_data_handle());
    for (Prediction& prediction : predictions) {
      prediction = classify(std::span<const float, kClasses>(logits, kClasses));
      logits += kClasses;
    }
  }

  std::shared_ptr<const OneDnnWeights> weights_;
  dnnl::stream stream_;
  std::vector<std::pair<dnnl::memory, dnnl::memory>> packed_;
  std::vector<Plan> plans_;
};

}  // namespace digits

#endif  // DIGITS_ONEDNN_MLP_HPP
