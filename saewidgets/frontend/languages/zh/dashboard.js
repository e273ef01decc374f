// 特征面板的文字与说明。

export const words = {
  zh: {
    widget: "特征面板",
    bar: {
      previous: "上一个特征",
      next: "下一个特征",
      number: "特征编号",
      order: "特征的顺序",
      orders: {
        number: "按编号",
        label: "按标签",
        often: "最常激活的在前",
        seldom: "最少激活的在前",
        output: "输出分数最高的在前",
        input: "输入分数最高的在前",
      },
      scored: { output: "输出 {n}", input: "输入 {n}" },
      position: "第 {i} 个，共 {n} 个特征",
    },
    heading: {
      feature: "特征 {n}",
      unlabeled: "无标签",
      fires: "激活于",
      ofTokens: "的词元",
      oneIn: "每 {n} 个中 1 个",
      never: "在此从未激活",
      maximum: "最大激活值",
      units: "SAE 单位",
      output: "输出分数",
      input: "输入分数",
      scoresShow:
        "分数针对该特征最促进的词元：它们有多常是它最强之处（输入），" +
        "以及在中性的提示词中提高该特征时，它们变得多么可能（输出）。" +
        "分数并不说明钳制后的文本是否关于该概念，也不说明多大剂量会使文本崩坏：那要看剂量-反应。",
    },
    naming: {
      name: "给这个特征命名",
      rename: "修改你的标签",
      box: "你给特征 {n} 的标签",
      hint: "Enter 保存，Escape 放弃。留空则只用原有的标签。",
      own: "你的标签",
      given: "原有标签：{label}",
    },
    examples: {
      top: "激活最强之处",
      topNote: "指向一个词元可看数值，选中它可让数值留在眼前。颜色越深，激活越强：",
      measuring: "正在测量没有该特征时每个词元的损失变化……",
      all: "显示全部 {n} 个",
      fewer: "收起",
      none: "它在这个语料库上从未激活。",
      times: "× {n}",
      timesTitle: "{n} 个例子在最强的词元附近文字相同",
      weaker: "较弱的例子，逐级显示",
      weakerNote: "从 0 到最大值之间的 {k} 个等宽区间中随机抽取：这才是它多数激活的样子。",
      level: "{low} 到 {high}",
      subsample: "子样本区间 {i}：{low} 到 {high}",
      subsampleNote:
        "本页的每个例子，包括最强的，都选自每个上下文中抽取的 {n} 个词元，因此可能缺少最大的激活值。区间 0 最强。",
      less: "没有它则更不可能",
      more: "没有它则更可能",
    },
    token: {
      token: "词元",
      id: "编号",
      bytes: "字节",
      noBytes: "无",
      activation: "激活值",
      share: "占最大激活值",
      loss: "没有该特征时的损失变化",
      nats: "{sign}{n} nat",
      adds: "使接下来更可能的",
      takes: "使接下来更不可能的",
      where: "文档 {context}，词元 {position}",
      chosen: "选中的词元",
      close: "取消选中",
    },
    filter: {
      label: "在这些例子中查找",
      regex: "正则表达式",
      case: "区分大小写",
      count: "{all} 个中的 {n} 个",
      broken: "不是有效的正则表达式",
    },
    histogram: {
      title: "激活有多强",
      note: "按激活值统计的词元，不含零。选择一个柱，可读其中的例子。",
      nonZero: "非零激活值",
      activation: "激活值",
      tokens: "词元",
    },
    bin: {
      title: "激活值 {low} 到 {high} 的例子",
      note: "这个柱的 {all} 个词元中随机抽取的 {n} 个",
      around: "这个柱没有现成的例子；这些来自它所在的一级，{low} 到 {high}。",
      empty: "这个柱没有现成的例子。",
      close: "关闭这些例子",
    },
    density: {
      title: "特征激活有多频繁",
      note: "活特征，按其激活的词元所占比例统计；有 {n} 个在此从未激活。",
      noteNone: "特征，按其激活的词元所占比例统计。",
      share: "占词元的比例",
      features: "特征",
      here: "这个特征",
    },
    logits: {
      title: "它写出什么",
      note: "对下一个词元的直接影响，单位：每单位激活值的 logit",
      promoted: "使之更可能",
      suppressed: "使之更不可能",
      all: "词表的全部 {n} 个词元，并标出上面两个列表从何处开始",
      vocabulary: "按直接影响统计的词表词元",
      effect: "logit",
      tokens: "词元",
    },
    related: {
      neighbors: "最相近的特征",
      neighborsNote: "所写内容（解码器）与所读内容（编码器）的余弦",
      encoders: "所读内容最相近的特征",
      encodersNote: "编码器方向的余弦",
      correlated: "在相同的词元处激活",
      correlatedNote: "语料库上激活值的皮尔逊 r 与余弦，以及解码器方向的余弦",
      absent: "不在本页中",
      feature: "特征",
      decoder: "解码器",
      encoder: "编码器",
      pearson: "r",
      cosine: "余弦",
    },
    neurons: {
      title: "同一层的神经元",
      aligned: "写出的方向相同",
      alignedNote: "神经元的输出权重与解码器方向的余弦，最大的几个",
      together: "在相同的词元处激活",
      togetherNote: "语料库中 {n} 个词元上的皮尔逊 r",
      silent: "在 {n} 个词元的样本中未激活。",
      neuron: "神经元",
    },
    honestyTitle: "这里看不出什么",
    honesty: [
      "标签是人写的概括，或来自植入概念的清单；特征所对应的可能比标签说的更多，也可能更少。",
      "激活最强的例子会美化特征。请也看较弱的各级：多数激活都在那里。",
      "SAE 总会遗漏一些东西。它未能重建的部分不在这里；没有特征的概念可能就在其中，也可能同时存在于好几层。",
      "训练会把激活值略微压低，因此数值偏小。",
      "“它写出什么”是直达输出的路径。后面各层如何使用该特征，见下划线和词元自己的列表：" +
        "那是在整篇文档的一次真实前向传播中去掉该特征得到的。",
      "同时激活，不等于一个引起另一个。",
      "这些是否就是模型计算时所用的特征，无法评估：没有什么能告诉我们正确的特征是哪些。" +
        "SAE 的损失和标签的各种分数都只是替代。",
      "只读了文本，而且只是这个语料库一类的文本。模型还可能接收别的内容，这个方向对它们起什么作用，从这里无从得知。",
      "所有数值只对上面写明的语料库成立。在别的文本里，同一方向可能另有用途。",
    ],
  },
};

export const notes = {
  zh: [
    {
      at: ".saew-bar-top",
      say: "显示的是哪个特征：可按编号、标签或所促进的词元查找，也可逐个翻看。",
    },
    {
      at: ".saew-pencil",
      say: "给特征起一个你自己的名字。凡是共享这一选择的地方，以及导出的网页，都会显示它。",
    },
    {
      at: ".saew-facts",
      say: "它有多常激活、最大的激活值，以及是在哪里测量的。",
    },
    {
      at: ".saew-main .saew-examples",
      say:
        "特征激活最强的文本。颜色：它在该词元处的激活值。下划线：那里没有该特征时模型的损失变化；" +
        "实线表示该词元变得更不可能。选中一个词元可看数值。“× 3”：有 3 个例子在最强的词元附近文字相同。",
    },
    {
      at: ".saew-main .saew-details",
      say: "激活最强的例子会美化特征。这些是从它的各级激活值中随机抽取的。",
    },
    {
      at: ".saew-columns > .saew-side",
      say:
        "激活有多强：它大于 0 的全部激活值；选择一个柱可看例子。它写出什么：其解码器方向提高和降低的下一个词元。" +
        "特征激活有多频繁：它在全部特征中的位置。",
    },
    {
      at: ".saew-tables",
      say: "解码器或编码器方向相近的特征、在相同词元处激活的特征，以及同一层中与之相伴的神经元。单击可打开。",
    },
    {
      at: ".saew-footer",
      say: "每个数值都只对这里的模型、读取位置、语料库和词元数成立。",
    },
  ],
};
