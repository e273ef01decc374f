// 训练监视器的文字与说明。

export const words = {
  zh: {
    widget: "训练监视器",
    start: "开始",
    pause: "暂停",
    resume: "继续",
    again: "再试一次",
    stop: "停止并保留",
    stopTitle: "在此结束训练。SAE 保持当前这一步之后的样子，立即可用；这次训练不再继续。",
    status: {
      ready: "就绪",
      training: "正在训练",
      paused: "已暂停",
      finished: "已完成",
      stopped: "已停止",
      error: "失败",
    },
    kept: "停在第 {step} 步；SAE 保持当时的样子",
    recorded: "这是一次训练的记录。",
    before: "还没有训练。走出第一步后，这里会出现曲线：{names}。",
    between: "、",
    beforeStill: "这份记录没有任何步。",
    facts: { step: "步", tokens: "词元数", speed: "词元/秒", left: "剩余时间" },
    progress: "已完成的步数",
    none: "–",
    seconds: "{s} 秒",
    minutes: "{m} 分 {s} 秒",
    hours: "{h} 小时 {m} 分",
    curves: {
      loss: "损失",
      fvu: "未解释方差",
      l0: "每个词元的激活特征数",
      dead: "死特征",
      density: "特征激活有多频繁",
      rate: "学习率",
      sparsity: "稀疏系数",
    },
    notes: {
      log: "对数刻度",
      explained: "对数刻度；已解释 {share}",
      l0: "批次平均（L0）",
      dead: "占全部特征的比例",
      deadWindow: "在最近 {n} 个词元上未激活",
      density: "占词元的比例，对数刻度",
      rate: "每一步的值",
      sparsity: "λ，或 TopK 的 k",
    },
    curve: "{name}：第 {step} 步为 {value}",
    severalCurves: "{name}，{n} 次训练；{run}：第 {step} 步为 {value}",
    noSteps: "{name}：还没有任何步",
    atStep: "第 {step} 步",
    density: "特征激活有多频繁：{n} 个特征激活过，多数激活于 {a} 到 {b} 的词元；{silent} 个从未激活。",
    densityNone: "特征激活有多频繁：尚不知道",
    silent: "{n} 个未激活",
    bin: "{n} 个特征：{a} – {b}",
    frontier: {
      title: "每个激活的特征换来什么",
      note: "每次训练一个点，取最后几步的平均。实心点在前沿上：没有别的训练在两方面都更好。越低、越靠左越好。",
      label: "未解释方差与激活特征数。{points}",
      point: "{name}：激活 {l0}，未解释 {fvu}{front}。",
      front: "，在前沿上",
      tip: "{name}：L0 {l0}，FVU {fvu}",
      l0: "每个词元的激活特征数",
      fvu: "未解释方差",
    },
    scaling: {
      title: "算力换来什么",
      note:
        "未解释方差与所花的运算量（12 × 宽度 × 特征数 × 词元数），两轴均为对数刻度。" +
        "点标出该算力下最好的训练（去掉每次训练的前十分之一）；虚线是最接近这些点的幂律。",
      compute: "浮点运算次数",
      law: "在最好的训练处，未解释方差随算力的 {loss} 次方变化，特征数随算力的 {features} 次方，词元数随算力的 {tokens} 次方。",
      none: "还没有哪一算力是两次训练都达到的。",
      rates: "最后的未解释方差，按学习率",
      size: "特征数",
      not:
        "这里看不出：超出这些规模之后的规律。学习率随后还要衰减的训练，其中间一步不如一次较短训练的末尾，" +
        "因此请比较学习率恒定的训练；而且只能在同一稀疏性下比较。",
    },
    runs: {
      columns: ["训练", "L0", "FVU", "死特征"],
      show: "显示在前的训练：{name}",
      inFront: "显示在前：{name}。其他训练画得较淡。",
      toCome: "{n} 次训练：{names}",
      front: "前沿",
      failed: "已中止：{why}",
      failedMark: "×",
    },
  },
};

export const notes = {
  zh: [
    {
      at: ".saew-run",
      say: "开始、暂停、继续。“停止并保留”使 SAE 保持当前这一步之后的样子。",
    },
    {
      at: ".saew-facts",
      say: "最近的一步。",
    },
    {
      at: ".saew-several",
      say: "每个 SAE 一个点：越低，重建越好；越靠左，越稀疏。最好的几个构成前沿。",
    },
    {
      at: ".saew-curves",
      say: "随步数变化的各条曲线。FVU 是未解释方差比例；L0 是每个词元处激活的特征数；死特征是长期未激活的特征。",
    },
  ],
};
